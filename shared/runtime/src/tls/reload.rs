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

/// What a side makes of its files.
pub(crate) trait Material: Send + Sync + 'static {
    /// What rustls takes.
    type Config: Send + Sync;

    /// As log lines name it: `the certificate of this service`.
    fn what(&self) -> &'static str;

    /// Its files.
    fn paths(&self) -> &Paths;

    /// The configuration, and when its own certificate ends.
    ///
    /// # Errors
    /// [`Error::Transport`] naming the file that cannot be used.
    fn build(&self, contents: &Contents) -> Result<(Self::Config, Option<i64>)>;
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
        let contents = material.paths().read();
        let mark = mark(&contents);
        let (config, not_after) = material.build(&contents?)?;
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
        let contents = self.material.paths().read();
        let mark = mark(&contents);
        // Held until the end, so that the later of two looks has the last word.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen != mark {
            *seen = mark;
            self.replace(contents);
        }
        self.remind(now());
    }

    /// The same for files that need not have changed, so that somebody who asks for it reads what became of them.
    pub(super) fn look_anew(&self) {
        let contents = self.material.paths().read();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = mark(&contents);
        self.replace(contents);
    }

    fn replace(&self, contents: Result<Contents>) {
        let what = self.material.what();
        match contents.and_then(|contents| self.material.build(&contents)).and_then(not_expired) {
            Ok((config, not_after)) => {
                self.current.store(Arc::new(config));
                self.state.reloaded(not_after);
                tracing::info!(not_after = not_after.map(shown), "{what}: the new files are in use");
            }
            Err(error) => {
                self.state.failed(error.to_string());
                tracing::error!(%error, "{what}: the new files cannot be used; the former ones stay in use");
            }
        }
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

fn not_expired<C>((config, not_after): (C, Option<i64>)) -> Result<(C, Option<i64>)> {
    match not_after.filter(|end| *end <= now()) {
        Some(end) => {
            Err(Error::Transport(format!("the new certificate has expired already, at {}", shown(end))))
        }
        None => Ok((config, not_after)),
    }
}

fn now() -> i64 {
    SystemClock.now_micros() / 1_000_000
}

fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
