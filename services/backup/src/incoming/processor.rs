//! Limits the processor time of an archive to what an honest archive of its size can need.
//!
//! The format lets a MiB become 1,100 MiB of JSON, and honest JSON is verified at more than 50 MB a second, so no
//! honest MiB needs more than 24 s. An archive that takes longer was made to be slow.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::error::{Error, Result};

/// Allowance for each MiB of the file.
const SECONDS_PER_MIB: u64 = 24;

/// The processor time of an archive, shared by all threads that read it one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    allowed: Duration,
    used: Duration,
}

/// An allowance that this thread is using.
pub(crate) struct Processor {
    allowance: Allowance,
    began: Duration,
}

impl Allowance {
    /// `base` plus the allowance for a file of `file_bytes`.
    pub(crate) fn create(base: Duration, file_bytes: u64) -> Self {
        let for_size = (u128::from(file_bytes) * u128::from(SECONDS_PER_MIB) * 1000) >> 20;
        let for_size = Duration::from_millis(u64::try_from(for_size).unwrap_or(u64::MAX));
        Self { allowed: base.saturating_add(for_size), used: Duration::ZERO }
    }

    /// From now on, this thread uses the allowance.
    pub(crate) fn begin(self) -> Processor {
        Processor { allowance: self, began: thread_time() }
    }
}

impl Processor {
    /// # Errors
    /// [`Error::VerifyProcessor`] when the allowance is used up.
    pub(crate) fn check(&self) -> Result<()> {
        if self.used() <= self.allowance.allowed {
            return Ok(());
        }
        Err(Error::VerifyProcessor(self.allowance.allowed.as_secs()))
    }

    /// The rest, for the next thread.
    pub(super) fn end(self) -> Allowance {
        Allowance { used: self.used(), ..self.allowance }
    }

    fn used(&self) -> Duration {
        self.allowance.used + thread_time().saturating_sub(self.began)
    }
}

/// Processor time that this thread has used. Other work on the machine and waiting do not count.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
    seconds + Duration::from_nanos(time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(time: Duration) {
        let began = thread_time();
        while thread_time() < began + time {}
    }

    #[test]
    fn only_time_on_a_processor_counts() {
        let processor = Allowance::create(Duration::from_millis(100), 0).begin();
        std::thread::sleep(Duration::from_millis(300));
        assert!(processor.check().is_ok());
        work(Duration::from_millis(110));
        assert!(matches!(processor.check(), Err(Error::VerifyProcessor(0))));
    }

    #[test]
    fn threads_use_one_allowance() {
        let first = Allowance::create(Duration::from_millis(100), 0).begin();
        work(Duration::from_millis(60));
        assert!(first.check().is_ok());
        let second = first.end().begin();
        assert!(second.check().is_ok());
        work(Duration::from_millis(60));
        assert!(second.check().is_err());
    }

    #[test]
    fn a_larger_file_has_more_time() {
        let allowed = |bytes| Allowance::create(Duration::from_secs(10), bytes).allowed;
        assert_eq!(allowed(0), Duration::from_secs(10));
        assert_eq!(allowed(3 << 20), Duration::from_secs(10 + 3 * 24));
        assert!(allowed(u64::MAX) > Duration::from_secs(1 << 30));
    }
}
