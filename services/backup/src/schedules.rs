//! Schedules: backups that are made regularly without a request, and removed again.
//!
//! [`running`] begins due runs ([`cron`], [`rules`]) on behalf of the schedule's creator ([`actor`]); [`making`] makes
//! the backup like any other. [`verifying`] reads stored backups again, and [`drilling`] has them restored;
//! [`retaining`] deletes those that [`retention`] does not keep. The result of a run is a backup of the schedule, even
//! if the run failed ([`history`]). Archives contain the schedules too ([`archived`]).

mod actor;
pub(crate) mod archived;
mod changes;
mod cron;
mod drilling;
pub(crate) mod error;
mod history;
mod making;
pub(crate) mod overview;
mod retaining;
mod retention;
pub(crate) mod rules;
mod running;
mod verifying;

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strongroom_runtime::{Clock, Metrics, Shutdown};

use tokio::time::Instant;

use crate::backups::StoredBackups;
use crate::drills::Drills;
use crate::error::{Error, Result, ScheduleError};
use crate::said::Said;
use crate::store::{BackupFilter, BackupState, DrillRow, ScheduleRow, Store, StoredBackup};
use crate::vault_client::VaultClient;
use crate::verification::Verifications;
use drilling::Drilling;
use making::Making;
use overview::Overview;
pub(crate) use retaining::Outlook;
use retaining::Retaining;
use rules::{Policy, Rules};
use running::Running;
use verifying::Verifying;

/// Maximum number of schedules in a deployment.
const MOST: usize = 100;
/// Interval between checks for due runs.
const PERIOD: Duration = Duration::from_secs(5);
/// Interval between the checks for metrics, verifications, drills and retention.
const LOOK_PERIOD: Duration = Duration::from_secs(20);
/// Number of runs in a timeline.
const SHOWN_RUNS: i64 = 40;
/// Maximum interval between two retention checks of a schedule.
const RETENTION_PERIOD: Duration = Duration::from_secs(600);

/// All schedules. Clones share them.
#[derive(Clone)]
pub(crate) struct Schedules {
    store: Arc<dyn Store>,
    vault: VaultClient,
    clock: Arc<dyn Clock>,
    stored: StoredBackups,
    running: Arc<Running>,
    retaining: Arc<Retaining>,
    verifying: Arc<Verifying>,
    drilling: Arc<Drilling>,
    overview: Overview,
}

/// A schedule as it is displayed.
pub(crate) struct View {
    pub(crate) row: ScheduleRow,
    pub(crate) rules: Rules,
    /// Its newest backup in any state.
    pub(crate) last: Option<StoredBackup>,
    /// The newest that was stored, or has failed.
    pub(crate) ended: Option<StoredBackup>,
    /// The newest that was stored.
    pub(crate) stored: Option<StoredBackup>,
    /// The newest drill of one of its backups.
    pub(crate) drill: Option<DrillRow>,
    /// The newest drill that determined whether the backup restores.
    pub(crate) verdict: Option<DrillRow>,
    /// For the stored backup that is verified next: time of its last verification, or else the time when it was stored.
    pub(crate) unverified_since: Option<i64>,
}

impl View {
    /// The state in one word.
    pub(crate) fn state(&self) -> &'static str {
        let failed = |ended: &StoredBackup| ended.row.state == BackupState::Failed;
        if self.row.paused {
            "paused"
        } else if self.ended.as_ref().is_some_and(failed) || !self.row.reason.is_empty() {
            "failing"
        } else if self.row.orphan_time.is_some() {
            "orphaned"
        } else {
            "active"
        }
    }

    /// When the next drill is due. A drill that could not be done does not count, so that the next one is late.
    pub(crate) fn next_drill(&self) -> Option<i64> {
        let every = self.rules.drill_every.filter(|_| !self.row.paused)?;
        match &self.verdict {
            Some(last) => Some(drilling::due_time(last, every)),
            // The first drill is due once there is a backup. Its time does not depend on that backup: it would move
            // with each new one, and a drill would never be late.
            None => self.stored.as_ref().map(|_| self.row.create_time),
        }
    }

    /// When the next verification of a stored backup is due.
    pub(crate) fn next_verification(&self) -> Option<i64> {
        let every = self.rules.verify_every.filter(|_| !self.row.paused)?;
        self.unverified_since.map(|since| since.saturating_add(every))
    }
}

impl Schedules {
    pub(crate) fn new(
        (store, vault, clock): (Arc<dyn Store>, VaultClient, Arc<dyn Clock>),
        stored: StoredBackups,
        ((verifications, budget), drills): ((Arc<Verifications>, i64), Drills),
        metrics: &Metrics,
    ) -> Self {
        let making = Making {
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            creations: Arc::clone(&stored.creations),
        };
        let running = Running {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            maker: Arc::new(making),
            not_made_up: AtomicI64::new(0),
        };
        let retaining = Retaining {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            catalogue: stored.catalogue.clone(),
        };
        let longest = i64::try_from(verifications.limits().duration.as_micros()).unwrap_or(i64::MAX);
        let verifying = Verifying {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            rereading: Arc::clone(&stored.rereading),
            verifications,
            budget,
            longest,
            tried: Mutex::default(),
        };
        let drilling = Drilling {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            catalogue: stored.catalogue.clone(),
            drills,
        };
        let (running, retaining, drilling) = (Arc::new(running), Arc::new(retaining), Arc::new(drilling));
        let (verifying, overview) = (Arc::new(verifying), Overview::new(metrics));
        Self { store, vault, clock, stored, running, retaining, verifying, drilling, overview }
    }

    /// Begins due runs and removes old backups until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let going_on = async {
            tokio::join!(
                self.begin_due(),
                self.keep_looking(),
                self.keep_retaining(),
                self.keep_verifying(),
                self.keep_drilling()
            )
        };
        shutdown.unless_begun(going_on).await;
    }

    async fn begin_due(&self) {
        let mut said = Said::default();
        loop {
            let problem = self.running.look().await.err().map(|error| error.to_string());
            if let Some(error) = said.news(problem) {
                tracing::warn!(error, "the due runs cannot be determined; trying again");
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn keep_looking(&self) {
        let mut said = Said::default();
        loop {
            let problem = self.look().await.err().map(|error| error.to_string());
            if let Some(error) = said.news(problem) {
                tracing::warn!(error, "the metrics of schedules cannot be brought up to date");
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    async fn look(&self) -> Result<()> {
        let mut seen = Vec::new();
        for view in self.list().await? {
            let filter = BackupFilter::of_schedule(&view.row.name, &history::ENDED);
            let runs = self.store.backups(&filter, SHOWN_RUNS).await?;
            seen.push((view, runs));
        }
        self.overview.set(&seen);
        Ok(())
    }

    /// The last observed state of all schedules.
    pub(crate) fn overview(&self) -> Overview {
        self.overview.clone()
    }

    async fn keep_verifying(&self) {
        let mut said = Said::default();
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            let problem = self.verifying.look().await.err().map(|error| error.to_string());
            if let Some(error) = said.news(problem) {
                tracing::warn!(error, "a stored backup that is due cannot be verified; trying again");
            }
        }
    }

    async fn keep_drilling(&self) {
        let mut said = Said::default();
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            let problem = self.drilling.look().await.err().map(|error| error.to_string());
            if let Some(error) = said.news(problem) {
                tracing::warn!(error, "a drill that is due cannot begin; trying again");
            }
        }
    }

    /// Applies retention after each new backup, and periodically, because holds and verifications change too.
    async fn keep_retaining(&self) {
        let mut newest: HashMap<String, (String, Instant)> = HashMap::new();
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            if let Err(error) = self.retain_changed(&mut newest).await {
                tracing::warn!(%error, "old backups cannot be searched for; trying again");
            }
        }
    }

    /// `newest` maps each schedule to its newest stored backup at the last retention check, and to the time of that
    /// check.
    async fn retain_changed(&self, newest: &mut HashMap<String, (String, Instant)>) -> Result<()> {
        for schedule in self.store.schedules().await? {
            let stored = history::newest(self.store.as_ref(), &schedule.name, &history::STORED).await?;
            let id = stored.map(|backup| backup.row.id).unwrap_or_default();
            let known = newest.get(&schedule.name);
            if known.is_some_and(|(known, at)| *known == id && at.elapsed() < RETENTION_PERIOD) {
                continue;
            }
            newest.insert(schedule.name.clone(), (id, Instant::now()));
            if let Err(error) = self.retaining.retain(&schedule).await {
                let name = schedule.name.as_str();
                tracing::warn!(name, %error, "old backups of a schedule cannot be removed; trying again");
            }
        }
        Ok(())
    }

    /// All schedules, sorted by name.
    pub(crate) async fn list(&self) -> Result<Vec<View>> {
        let mut views = Vec::new();
        for row in self.store.schedules().await? {
            views.push(self.view(row).await?);
        }
        Ok(views)
    }

    /// # Errors
    /// [`ScheduleError::NotFound`].
    pub(crate) async fn get(&self, name: &str) -> Result<View> {
        self.view(self.row(name).await?).await
    }

    /// The effect that the schedule's retention, or `policy` if given, would have now.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`].
    pub(crate) async fn outlook(&self, name: &str, policy: Option<Policy>) -> Result<Outlook> {
        let row = self.row(name).await?;
        let policy = policy.or(Rules::of(&row)?.retention);
        self.retaining.outlook(&row, policy).await
    }

    async fn row(&self, name: &str) -> Result<ScheduleRow> {
        let found = self.store.schedule(name).await?;
        found.ok_or_else(|| Error::from(ScheduleError::NotFound(name.to_owned())))
    }

    async fn view(&self, row: ScheduleRow) -> Result<View> {
        let rules = Rules::of(&row)?;
        let store = self.store.as_ref();
        let last = history::newest(store, &row.name, &[]).await?;
        let ended = history::newest(store, &row.name, &history::ENDED).await?;
        let stored = history::newest(store, &row.name, &history::STORED).await?;
        let is_own = |drill: &DrillRow| drilling::is_of(&row, drill);
        let drill = store.last_drill(&row.name).await?.filter(is_own);
        let verdict = store.last_verdict(&row.name).await?.filter(is_own);
        let first = match rules.verify_every {
            Some(_) => store.backups_to_verify(&row.name, i64::MAX, 1).await?.pop(),
            None => None,
        };
        let unverified_since = first.and_then(|backup| backup.verify_time.or(backup.end_time));
        Ok(View { row, rules, last, ended, stored, drill, verdict, unverified_since })
    }
}

/// Changes when somebody changes the schedule, but not with its runs.
pub(crate) fn etag(row: &ScheduleRow) -> String {
    let ScheduleRow { name, rules, creator, create_time, paused, .. } = row;
    let digest = Sha256::digest(format!("{name}\n{rules}\n{creator}\n{create_time}\n{paused}"));
    format!("\"{}\"", hex::encode(&digest[..8]))
}
