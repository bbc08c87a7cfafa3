//! Cost limits for a refusal: memory, and processor time of this thread. Other work on the machine affects
//! neither.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The maximum cost of a refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Resident memory in addition to that before.
    pub(crate) mebibytes: u64,
    /// Processor time.
    pub(crate) seconds: u64,
}

#[derive(Debug)]
pub(crate) struct Cost {
    mebibytes: u64,
    time: Duration,
}

impl Cost {
    pub(crate) fn within(&self, bounds: Bounds) -> bool {
        self.mebibytes <= bounds.mebibytes && self.time <= Duration::from_secs(bounds.seconds)
    }
}

/// Blocks the other tests of the process, whose memory would be counted too. Each test begins with it.
pub(crate) struct Alone(#[expect(dead_code, reason = "held, not used")] MutexGuard<'static, ()>);

impl Alone {
    pub(crate) fn wait() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `work`, and measures its memory and time.
    pub(crate) fn measure<T>(&self, work: impl FnOnce() -> T) -> (T, Cost) {
        // Resets the peak to the current resident memory (proc(5)).
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let (before, started) = (peak_bytes(), processor_time());
        let result = work();
        let time = processor_time() - started;
        (result, Cost { mebibytes: peak_bytes().saturating_sub(before) >> 20, time })
    }
}

/// User and system time of this thread: the 14th and 15th field, in hundredths of a second (proc(5)).
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The second field is a name in parentheses, which can contain anything.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Verifies that exceeding the bounds would be noticed.
#[test]
fn the_measure_sees_what_is_taken() {
    let alone = Alone::wait();
    let (held, cost) = alone.measure(|| vec![1_u8; 64 << 20]);
    assert!(!cost.within(Bounds { mebibytes: held.len() as u64 >> 21, seconds: 600 }), "{cost:?}");
    let (_, cost) = alone.measure(|| {
        let started = processor_time();
        while processor_time() < started + Duration::from_millis(1100) {}
    });
    assert!(!cost.within(Bounds { mebibytes: 1 << 20, seconds: 1 }), "{cost:?}");
}
