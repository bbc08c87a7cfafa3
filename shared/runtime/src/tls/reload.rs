//! A TLS configuration that follows its files.
//!
//! Files are compared by content: Kubernetes replaces a mounted Secret by turning a link, which leaves times and names of
//! the files as they like. A renewal that cannot be used changes nothing but [`State`], and is logged once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::files::{Contents, Paths, mark};
use super::state::State;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};

const DAY: i64 = 24 * 60 * 60;
/// A certificate that ends sooner is spoken of, once a day.
const SOON: i64 = 7 * DAY;
/// How often files are read that change all the time.
const TRIES: usize = 5;

/// A configuration as rustls takes it.
pub(crate) struct Built<C> {
    pub(super) config: C,
    /// When its own certificate ends, in seconds since 1970; `None` without one.
    pub(super) not_after: Option<i64>,
}

/// What a side makes of its files.
pub(crate) trait Material: Send + Sync + 'static {
    /// What rustls takes.
    type Config: Send + Sync;

    /// As log lines name it: `the certificate of this service`.
    fn what(&self) -> &'static str;

    /// Its files.
    fn paths(&self) -> &Paths;

    /// # Errors
    /// [`Error::Transport`] naming the file that cannot be used.
    fn build(&self, contents: &Contents) -> Result<Built<Self::Config>>;
}

/// The current configuration made of a [`Material`].
pub(crate) struct Reloaded<M: Material> {
    material: M,
    current: ArcSwap<M::Config>,
    /// The files as they were at the last look.
    seen: Mutex<u64>,
    state: Arc<State>,
    /// When the end of the certificate was spoken of, in seconds since 1970.
    reminded: AtomicI64,
}

impl<M: Material> Reloaded<M> {
    /// Reads the files for the first time. A certificate that has expired is taken, and complained about: its service
    /// says more than one that does not start.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Exposed`], [`Error::Transport`].
    pub(super) fn load(material: M) -> Result<Self> {
        let (mark, built) = build(&material, material.paths().read());
        let Built { config, not_after } = built?;
        let loaded = Self {
            material,
            current: ArcSwap::from_pointee(config),
            seen: Mutex::new(mark),
            state: Arc::new(State::of(not_after)),
            reminded: AtomicI64::new(i64::MIN),
        };
        loaded.remind(now());
        Ok(loaded)
    }

    pub(super) fn current(&self) -> Arc<M::Config> {
        self.current.load_full()
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Reads the files again, and replaces the configuration where they have changed.
    pub(super) fn look(&self) {
        // Held until the end, so that the later of two looks has the last word.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = self.material.paths().read();
        if *seen != mark(&contents) {
            *seen = self.replace(contents);
        }
        self.remind(now());
    }

    /// The same for files that need not have changed, so that somebody who asks for it reads what became of them.
    pub(super) fn look_anew(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = self.replace(self.material.paths().read());
    }

    /// Returns the mark of the files.
    fn replace(&self, contents: Result<Contents>) -> u64 {
        let what = self.material.what();
        let (mark, built) = build(&self.material, contents);
        match built.and_then(not_expired) {
            Ok(Built { config, not_after }) => {
                self.current.store(Arc::new(config));
                self.state.reloaded(not_after);
                tracing::info!(not_after = not_after.map(shown), "{what}: the new files are in use");
            }
            Err(error) => {
                self.state.failed(error.to_string());
                tracing::error!(%error, "{what}: the new files cannot be used; the former ones stay in use");
            }
        }
        mark
    }

    /// Says once a day that the certificate ends soon, or has ended.
    fn remind(&self, now: i64) {
        let Some(not_after) = self.state.not_after().filter(|end| end - now < SOON) else { return };
        let last = self.reminded.load(Ordering::Relaxed);
        if now.saturating_sub(last) < DAY {
            return;
        }
        self.reminded.store(now, Ordering::Relaxed);
        let (what, not_after) = (self.material.what(), shown(not_after));
        tracing::warn!(not_after, "{what} has expired or ends within seven days; renew it");
    }
}

/// What is made of `contents`, and their mark. Files that were replaced while they were read, one before and one after,
/// do not fit together, and are read again.
fn build<M: Material>(material: &M, mut contents: Result<Contents>) -> (u64, Result<Built<M::Config>>) {
    let mut tries = 1;
    loop {
        let before = mark(&contents);
        let built = contents.and_then(|contents| material.build(&contents));
        if built.is_ok() || tries == TRIES {
            return (before, built);
        }
        contents = material.paths().read();
        if mark(&contents) == before {
            return (before, built);
        }
        tries += 1;
    }
}

fn not_expired<C>(built: Built<C>) -> Result<Built<C>> {
    match built.not_after.filter(|end| *end <= now()) {
        Some(end) => {
            Err(Error::Transport(format!("the new certificate has expired already, at {}", shown(end))))
        }
        None => Ok(built),
    }
}

fn now() -> i64 {
    SystemClock.now_micros() / 1_000_000
}

fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
