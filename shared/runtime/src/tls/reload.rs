//! A TLS configuration that follows its files.
//!
//! Files are compared by content: Kubernetes replaces a mounted Secret by switching a symbolic link, so the files'
//! times and names say nothing. A renewal that cannot be used changes nothing but [`State`], and is logged once. Its
//! authorities are still applied if possible: the removal of an authority must not wait for a good certificate.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::files::{Contents, Paths, mark};
use super::state::State;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};

const DAY: i64 = 24 * 60 * 60;
/// A certificate that expires sooner is logged once a day.
const SOON: i64 = 7 * DAY;
/// Maximum number of reads of files that keep changing.
const TRIES: usize = 5;

/// A configuration as rustls takes it.
pub(crate) struct Built<C> {
    pub(super) config: C,
    /// Expiry of its own certificate, in seconds since 1970; `None` without one.
    pub(super) not_after: Option<i64>,
}

/// The configuration that one side builds from its files.
pub(crate) trait Material: Send + Sync + 'static {
    /// The rustls configuration.
    type Config: Send + Sync;

    /// Its name in log lines: `the certificate of this service`.
    fn what(&self) -> &'static str;

    /// Its files.
    fn paths(&self) -> &Paths;

    /// # Errors
    /// [`Error::Transport`] naming the file that cannot be used.
    fn build(&self, contents: &Contents) -> Result<Built<Self::Config>>;
}

/// The current configuration built from a [`Material`].
pub(crate) struct Reloaded<M: Material> {
    material: M,
    current: ArcSwap<M::Config>,
    seen: Mutex<Seen>,
    state: Arc<State>,
    /// When the expiry of the certificate was last logged, in seconds since 1970.
    reminded: AtomicI64,
}

/// The files at the last check.
struct Seen {
    mark: u64,
    /// The files that the current configuration is built from.
    used: Contents,
}

impl<M: Material> Reloaded<M> {
    /// Reads the files for the first time. An expired certificate is accepted and logged: a service with one is more
    /// informative than a service that does not start.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Exposed`], [`Error::Transport`].
    pub(super) fn load(material: M) -> Result<Self> {
        let (mark, read) = build(&material, material.paths().read());
        let (used, built) = read?;
        let Built { config, not_after } = built?;
        let loaded = Self {
            material,
            current: ArcSwap::from_pointee(config),
            seen: Mutex::new(Seen { mark, used }),
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

    /// Reads the files again, and replaces the configuration if they have changed.
    pub(super) fn look(&self) {
        // Held until the end, so that the later of two checks has the last word.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = self.material.paths().read();
        if seen.mark != mark(&contents) {
            self.replace(&mut seen, contents);
        }
        self.remind(now());
    }

    /// [`Self::look`] at the request of an operator, who finds the result in the log.
    pub(super) fn look_when_asked(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = self.material.paths().read();
        let what = self.material.what();
        if seen.mark != mark(&contents) {
            self.replace(&mut seen, contents);
        } else if let Some(error) = self.state.last_error() {
            tracing::error!(error, "{what}: the files have not changed, and still cannot be used");
        } else {
            tracing::info!("{what}: the files have not changed");
        }
    }

    fn replace(&self, seen: &mut Seen, contents: Result<Contents>) {
        let (mark, read) = build(&self.material, contents);
        seen.mark = mark;
        match read {
            Err(error) => self.failed(&error),
            Ok((contents, built)) => {
                // The certificate in use may have expired meanwhile; it stays until there is another.
                let renewed = !contents.has_own_of(&seen.used);
                match built.and_then(|built| if renewed { not_expired(built) } else { Ok(built) }) {
                    Ok(built) => self.renewed(seen, contents, built),
                    Err(error) => {
                        self.failed(&error);
                        self.replace_authorities(seen, &contents);
                    }
                }
            }
        }
    }

    fn renewed(&self, seen: &mut Seen, contents: Contents, Built { config, not_after }: Built<M::Config>) {
        self.current.store(Arc::new(config));
        seen.used = contents;
        self.state.reloaded(not_after);
        let what = self.material.what();
        tracing::info!(not_after = not_after.map(shown), "{what}: the new files are in use");
    }

    fn failed(&self, error: &Error) {
        self.state.failed(error.to_string());
        let what = self.material.what();
        tracing::error!(%error, "{what}: the new files cannot be used; the former ones stay in use");
    }

    /// If the new certificate cannot be used, the previous one is used with the new authorities.
    fn replace_authorities(&self, seen: &mut Seen, newer: &Contents) {
        let Some(mixed) = seen.used.with_authorities_of(newer) else { return };
        let Ok(Built { config, .. }) = self.material.build(&mixed) else { return };
        self.current.store(Arc::new(config));
        seen.used = mixed;
        tracing::warn!(
            "{}: the new authorities are in use with the former certificate",
            self.material.what()
        );
    }

    /// Logs once a day that the certificate expires soon, or has expired.
    fn remind(&self, now: i64) {
        let Some(not_after) = self.state.not_after().filter(|end| end - now < SOON) else { return };
        let last = self.reminded.load(Ordering::Relaxed);
        if now.saturating_sub(last) < DAY {
            return;
        }
        self.reminded.store(now, Ordering::Relaxed);
        let (what, not_after) = (self.material.what(), shown(not_after));
        tracing::warn!(not_after, "{what} has expired or expires within seven days; renew it");
    }
}

/// Files that could be read, and the configuration built from them.
type Read<C> = Result<(Contents, Result<Built<C>>)>;

/// The configuration built from `contents`, and their mark. Files that were replaced while they were read, one before
/// and one after, do not fit together, and are read again.
fn build<M: Material>(material: &M, mut contents: Result<Contents>) -> (u64, Read<M::Config>) {
    let mut tries = 1;
    loop {
        let before = mark(&contents);
        let read = contents.map(|contents| {
            let built = material.build(&contents);
            (contents, built)
        });
        if matches!(read, Ok((_, Ok(_)))) || tries == TRIES {
            return (before, read);
        }
        contents = material.paths().read();
        if mark(&contents) == before {
            return (before, read);
        }
        tries += 1;
    }
}

fn not_expired<C>(built: Built<C>) -> Result<Built<C>> {
    match built.not_after.filter(|end| *end <= now()) {
        Some(end) => Err(Error::Transport(format!("the new certificate expired already, at {}", shown(end)))),
        None => Ok(built),
    }
}

fn now() -> i64 {
    SystemClock.now_micros() / 1_000_000
}

fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
