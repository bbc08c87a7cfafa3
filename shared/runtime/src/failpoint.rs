//! Points at which a test ends the process as `kill -9` does, or pauses it like a suspended host. They exist only in
//! builds with debug assertions, for every service.

#[cfg(debug_assertions)]
const MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

/// Ends the process here if `STRONGROOM_FAILPOINT` names this point: `create.part`, or `create.part#3` for its third
/// occurrence. `stop:create.part` pauses the process until SIGCONT.
#[cfg(debug_assertions)]
pub fn reached(place: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    static TIMES: AtomicUsize = AtomicUsize::new(0);
    let Ok(wanted) = std::env::var("STRONGROOM_FAILPOINT") else { return };
    let (signal, wanted) = match wanted.strip_prefix("stop:") {
        Some(wanted) => (Signal::STOP, wanted),
        None => (Signal::KILL, wanted.as_str()),
    };
    let (name, nth) = wanted.split_once('#').unwrap_or((wanted, "1"));
    if name != place || (TIMES.fetch_add(1, Ordering::SeqCst) + 1).to_string() != nth {
        return;
    }
    let _ = kill_process(getpid(), signal);
    // The signal can reach another thread first, and this one a moment later.
    std::thread::sleep(MOMENT);
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub fn reached(_place: &str) {}
