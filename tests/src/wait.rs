//! Waiting with a limit.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Generous timeout for something that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Limit for effects that docs/operating.md promises within five seconds. A test asks with commands, each of them a
/// process that may start slowly on a machine under load, so twice that time is added.
pub const FELT_EVERYWHERE: Duration = Duration::from_secs(5 + 10);

/// Calls `probe` every 50 ms until it answers.
///
/// # Panics
/// After `within`; `what` names the awaited event.
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

/// Ports below the range from which the system chooses ports for connections: a connection could take a port in that
/// range that was free a moment ago.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// Number that counts the ports given out in this process.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port that nothing listens on. No two tests of a run get the same port or the one after it.
///
/// # Panics
/// If all are taken.
#[must_use]
pub fn free_port() -> u16 {
    let span = PORTS.end - PORTS.start;
    // Processes that run tests at the same time start at different ports.
    let begin = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap();
    for _ in 0..span {
        let port = PORTS.start + begin.wrapping_add(GIVEN.fetch_add(2, Ordering::Relaxed)) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
