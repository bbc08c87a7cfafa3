//! Waiting, never for ever.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
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

/// Ports below those that the system gives to connections: one of these may take a port that was free a moment ago.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// Ports that were given out, in this process.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port that nothing listens on. No two tests of a run get the same one, nor the one after it.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_port() -> u16 {
    let span = PORTS.end - PORTS.start;
    // Where two processes run tests, they begin in different places.
    let begin = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap();
    for _ in 0..span {
        let port = PORTS.start + begin.wrapping_add(GIVEN.fetch_add(2, Ordering::Relaxed)) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
