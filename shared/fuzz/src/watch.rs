//! Ends the process when one input takes too long: a target that does not return cannot be interrupted otherwise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{PATIENCE, hex};

/// The input that runs now, and since when.
type Running = Option<(Instant, Vec<u8>)>;

pub(crate) struct Watch(Arc<Mutex<Running>>);

impl Watch {
    /// Starts the thread that watches; it ends with the value.
    #[expect(clippy::print_stderr, reason = "the process ends, and nothing else says why")]
    pub(crate) fn start(name: &str) -> Self {
        let running = Arc::new(Mutex::new(None));
        let (watched, name) = (Arc::downgrade(&running), name.to_owned());
        std::thread::spawn(move || {
            while let Some(running) = watched.upgrade() {
                if let Some((_, input)) =
                    lock(&running).as_ref().filter(|(since, _)| since.elapsed() > PATIENCE)
                {
                    eprintln!("fuzzing {name}: the target did not return for the input {}", hex(input));
                    std::process::abort();
                }
                drop(running);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(running)
    }

    pub(crate) fn begin(&self, input: &[u8]) {
        *lock(&self.0) = Some((Instant::now(), input.to_vec()));
    }

    pub(crate) fn end(&self) {
        *lock(&self.0) = None;
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
