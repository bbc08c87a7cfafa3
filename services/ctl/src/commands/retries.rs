//! Opens a connection again, a few times in a row, if it breaks while something is in progress.

use std::time::Duration;

use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use crate::error::CallFailed;

/// Pauses before each further try: half a minute in total, in which a service can restart.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// Number of failed tries since the last progress.
#[derive(Debug)]
pub(super) struct Retries {
    pauses: &'static [Duration],
    failed: usize,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self { pauses: &PAUSES, failed: 0 }
    }

    /// The same number of tries, without waiting.
    #[cfg(test)]
    pub(super) fn at_once() -> Self {
        Self { pauses: &[Duration::ZERO; PAUSES.len()], failed: 0 }
    }

    /// Resets the number of failed tries: something made progress, so the next break is a new one.
    pub(super) fn went_on(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next try; false after enough tries.
    pub(super) async fn another(&mut self) -> bool {
        let Some(pause) = self.pauses.get(self.failed) else { return false };
        self.failed += 1;
        tokio::time::sleep(*pause).await;
        true
    }
}

/// Whether the connection broke or the service became unavailable, unlike a refusal, which a retry would only repeat.
pub(super) fn is_broken(status: &Status, failed: &CallFailed) -> bool {
    failed.is_away() || matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown)
}

/// Like [`is_broken`], for a call before anything is in progress: an error about a database, or about the service's
/// vault, is then reported at once, because nobody should wait half a minute for it.
pub(super) fn is_gone(status: &Status, failed: &CallFailed) -> bool {
    let reason = reason_of(status);
    is_broken(status, failed) && ["", "SHUTTING_DOWN", "PROCESS_FENCED"].contains(&reason.as_str())
}

#[cfg(test)]
mod tests {
    use strongroom_runtime::status::status;
    use tonic::{Code, Status};

    use super::{is_broken, is_gone};
    use crate::error::CallFailed;

    #[test]
    fn an_answer_is_no_break() {
        let failed = |status: &Status| CallFailed::new(status, "backup", "http://127.0.0.1:1", "URL");
        for (status, is_one) in [
            (Status::unavailable("gone"), true),
            (status(Code::Unavailable, "d", "SHUTTING_DOWN", "bye", &[]), true),
            (status(Code::Unavailable, "d", "DATABASE_UNAVAILABLE", "no", &[]), false),
            (status(Code::NotFound, "d", "X", "no", &[]), false),
        ] {
            assert_eq!(is_gone(&status, &failed(&status)), is_one, "{status:?}");
        }
        let status = status(Code::Unavailable, "d", "DATABASE_UNAVAILABLE", "no", &[]);
        assert!(is_broken(&status, &failed(&status)));
    }
}
