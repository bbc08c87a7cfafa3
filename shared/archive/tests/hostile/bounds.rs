//! What a refusal may cost.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most that a refusal may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Resident memory beyond what the process had before.
    pub(crate) mebibytes: u64,
    /// On a machine that has other work too.
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

/// The right to use memory: what a test measures is the process's, so no other test may run meanwhile.
pub(crate) type Turn = MutexGuard<'static, ()>;

/// Every test in this target begins with this.
pub(crate) fn take_turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the work, and says how much memory and time it took.
pub(crate) fn measure<T>(_: &Turn, work: impl FnOnce() -> T) -> (T, Cost) {
    // Sets the peak back to what is resident now (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_bytes();
    let started = Instant::now();
    let result = work();
    let cost = Cost { mebibytes: peak_bytes().saturating_sub(before) >> 20, time: started.elapsed() };
    (result, cost)
}

fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Otherwise the bounds could never be exceeded.
#[test]
fn the_measure_sees_what_is_taken() {
    let turn = take_turn();
    let (held, cost) = measure(&turn, || vec![1_u8; 64 << 20]);
    assert!(!cost.within(Bounds { mebibytes: held.len() as u64 >> 21, seconds: 600 }), "{cost:?}");
    let (_, cost) = measure(&turn, || std::thread::sleep(Duration::from_millis(1100)));
    assert!(!cost.within(Bounds { mebibytes: 1 << 20, seconds: 1 }), "{cost:?}");
}
