//! A summary of the catalogue and the destinations, for metrics, the page and `GetStatus`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use strongroom_runtime::health::State;
use strongroom_runtime::metrics::{Kind, Sample};
use strongroom_runtime::{Clock, Metrics, Shutdown};

use super::Base;
use super::destinations::Destinations;
use super::record::{Content, Verified, from_json};
use crate::error::{Error, Result};
use crate::said::Said;
use crate::store::{BackupFilter, BackupState, CopyState, Store, StoredBackup};

/// Interval between checks.
const PERIOD: Duration = Duration::from_secs(20);
const PAGE: i64 = 500;

/// Totals of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Number of backups by state, in the order of [`BackupState::ALL`].
    pub(crate) backups: [i64; BackupState::ALL.len()],
    /// Total size of available backups.
    pub(crate) bytes: i64,
    /// When the newest available backup was stored.
    pub(crate) last_stored: Option<i64>,
    /// When the oldest available backup was stored.
    pub(crate) oldest_stored: Option<i64>,
    /// When a backup last passed its verification.
    pub(crate) last_verified: Option<i64>,
    /// Number of copies that failed or could not be removed, by destination.
    pub(crate) in_trouble: HashMap<String, i64>,
}

impl Totals {
    fn add(&mut self, backup: &StoredBackup) {
        let row = &backup.row;
        self.backups[row.state as usize] += 1;
        if backup.is_restorable() {
            self.bytes += from_json::<Content>(&row.content).size_bytes;
            self.last_stored = self.last_stored.max(row.end_time);
            self.oldest_stored = [self.oldest_stored, row.end_time].into_iter().flatten().min();
            if from_json::<Verified>(&row.verification).ok {
                self.last_verified = self.last_verified.max(row.verify_time);
            }
        }
        for copy in &backup.copies {
            let is_lost = row.state == BackupState::Available
                && matches!(copy.state, CopyState::Failed | CopyState::Missing);
            if is_lost || (!copy.reason.is_empty() && copy.state != CopyState::Failed) {
                *self.in_trouble.entry(copy.destination.clone()).or_default() += 1;
            }
        }
    }

    /// Number of backups in this state.
    pub(crate) fn count(&self, state: BackupState) -> i64 {
        self.backups[state as usize]
    }
}

/// The last observed state of a destination.
#[derive(Debug, Clone)]
pub(crate) struct DestinationState {
    pub(crate) name: String,
    /// `folder` or `bucket`.
    pub(crate) kind: &'static str,
    pub(crate) state: State,
    /// The reason why it cannot be used; empty otherwise.
    pub(crate) reason: String,
    /// Time of the last change of state.
    pub(crate) since: i64,
}

#[derive(Default)]
struct Seen {
    /// `None` until the catalogue was read.
    totals: Option<Totals>,
    destinations: Vec<DestinationState>,
}

/// Checks the catalogue and the destinations. Clones share the results.
#[derive(Clone)]
pub(crate) struct Overview {
    store: Arc<dyn Store>,
    destinations: Arc<Destinations>,
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Seen>>,
}

impl Overview {
    pub(super) fn new(base: &Base, metrics: &Metrics) -> Self {
        let Base { store, destinations, clock, .. } = base.clone();
        let since = clock.now_micros();
        let state = |name: &str, kind| DestinationState {
            name: name.to_owned(),
            kind,
            state: State::Starting,
            reason: String::new(),
            since,
        };
        let states = destinations.all().iter().map(|place| state(&place.name, place.kind())).collect();
        let seen = Arc::new(Mutex::new(Seen { totals: None, destinations: states }));
        let overview = Self { store, destinations, clock, seen };
        overview.expose(metrics);
        overview
    }

    /// `None` until the catalogue was read.
    pub(crate) fn totals(&self) -> Option<Totals> {
        self.seen().totals.clone()
    }

    /// In the order of the configuration.
    pub(crate) fn destinations(&self) -> Vec<DestinationState> {
        self.seen().destinations.clone()
    }

    /// Checks until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let mut said = Said::default();
        let looking = async {
            loop {
                match self.read().await {
                    Ok(totals) => self.seen().totals = Some(totals),
                    Err(error) => {
                        if let Some(error) = said.news(Some(error.to_string())) {
                            tracing::warn!(error, "the catalogue of stored backups cannot be read");
                        }
                    }
                }
                self.look_at_destinations().await;
                tokio::time::sleep(PERIOD).await;
            }
        };
        shutdown.unless_begun::<_>(looking).await;
    }

    async fn read(&self) -> Result<Totals> {
        let (mut totals, mut filter) = (Totals::default(), BackupFilter::default());
        loop {
            let page = self.store.backups(&filter, PAGE).await?;
            let Some(last) = page.last() else { return Ok(totals) };
            filter.after(last);
            page.iter().for_each(|backup| totals.add(backup));
        }
    }

    async fn look_at_destinations(&self) {
        let looks = self.destinations.all().iter().map(|destination| destination.check());
        for (at, found) in join_all(looks).await.into_iter().enumerate() {
            self.set(at, found.err().map(Error::from));
        }
    }

    fn set(&self, at: usize, problem: Option<Error>) {
        let now = self.clock.now_micros();
        let mut seen = self.seen();
        let known = &mut seen.destinations[at];
        let state = if problem.is_none() { State::Ok } else { State::Failing };
        let (before, destination) = (known.state, known.name.as_str());
        match &problem {
            Some(error) if before != State::Failing => {
                let reason = error.reason();
                tracing::warn!(destination, reason, %error, "a destination cannot be used; backups are not stored there");
            }
            None if before == State::Failing => {
                tracing::info!(destination, "a destination can be used again");
            }
            _ => {}
        }
        known.reason = problem.map_or_else(String::new, |error| error.to_string());
        if before != state {
            known.state = state;
            known.since = now;
        }
    }

    fn expose(&self, metrics: &Metrics) {
        let gauge = |name: &str, help: &str, labels: &[&str], read: fn(&Seen) -> Vec<Sample>| {
            let seen = Arc::clone(&self.seen);
            metrics.sampled(Kind::Gauge, name, help, labels, move || {
                read(&seen.lock().unwrap_or_else(PoisonError::into_inner))
            });
        };
        gauge("strongroom_backup_stored_backups", "Stored backups in the catalogue.", &["state"], states);
        let help = "Bytes of the files of available backups, each counted once.";
        gauge("strongroom_backup_stored_bytes", help, &[], |seen| {
            seen.totals.iter().map(|totals| Sample::plain(totals.bytes as f64)).collect()
        });
        let help = "Time at which the newest available backup was stored, in seconds since the epoch.";
        gauge("strongroom_backup_last_stored_timestamp_seconds", help, &[], |seen| {
            time(seen.totals.as_ref().and_then(|totals| totals.last_stored))
        });
        let help = "Time at which the oldest available backup was stored, in seconds since the epoch.";
        gauge("strongroom_backup_oldest_stored_timestamp_seconds", help, &[], |seen| {
            time(seen.totals.as_ref().and_then(|totals| totals.oldest_stored))
        });
        let help = "Time at which a stored backup last passed its verification, in seconds since the epoch.";
        gauge("strongroom_backup_last_verified_timestamp_seconds", help, &[], |seen| {
            time(seen.totals.as_ref().and_then(|totals| totals.last_verified))
        });
        let help = "Copies of backups that were not stored, or could not be removed.";
        gauge("strongroom_backup_copies_in_trouble", help, &["destination"], in_trouble);
        let help = "Whether the destination could be used when it was last checked (1) or not (0).";
        gauge("strongroom_backup_destination_up", help, &["destination"], |seen| {
            let known = seen.destinations.iter().filter(|place| place.state != State::Starting);
            known.map(|place| sample(&place.name, i64::from(place.state == State::Ok))).collect()
        });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn states(seen: &Seen) -> Vec<Sample> {
    let Some(totals) = &seen.totals else { return Vec::new() };
    BackupState::ALL.into_iter().map(|state| sample(state.as_str(), totals.count(state))).collect()
}

/// For each configured destination, and for others that have copies.
fn in_trouble(seen: &Seen) -> Vec<Sample> {
    let Some(totals) = &seen.totals else { return Vec::new() };
    let mut counts = totals.in_trouble.clone();
    for place in &seen.destinations {
        counts.entry(place.name.clone()).or_default();
    }
    counts.iter().map(|(destination, count)| sample(destination, *count)).collect()
}

fn sample(label: &str, value: i64) -> Sample {
    Sample { labels: vec![label.to_owned()], value: value as f64 }
}

fn time(micros: Option<i64>) -> Vec<Sample> {
    micros.map(|micros| Sample::plain(micros as f64 / 1e6)).into_iter().collect()
}
