//! Waiting, never for ever.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// For what a correct program does at once: no measurement, only an end to waiting on a machine under load.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For what docs/operating.md promises within five seconds. A test asks with commands, and each of them is a process that
/// a machine under load may start slowly, so they get twice that time on top.
pub const FELT_EVERYWHERE: Duration = Duration::from_secs(5 + 10);

/// Asks `probe` every 50 ms until it answers.
///
/// # Panics
/// When `within` is over first; `what` says what was waited for.
pub fn eventually<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A port that nothing listened on a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
