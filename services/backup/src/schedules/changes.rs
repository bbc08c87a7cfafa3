//! What people do with schedules.
//!
//! A change is in the audit log before it is made: one that could not be recorded is not made.

use std::sync::Arc;

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Caller;
use strongroom_store::Kind;
use uuid::Uuid;

use super::cron::delay;
use super::rules::Rules;
use super::{Schedules, View, etag};
use crate::backups::record::to_json;
use crate::backups::{Order, Run};
use crate::error::{Error, Result, ScheduleError};
use crate::operation::{Metadata, put};
use crate::seal::SealChoice;
use crate::store::{ScheduleRow, StoredBackup, Turn};

/// Schedules of one deployment.
const MOST: usize = 100;
/// How often a change is decided again before it is given up.
const ATTEMPTS: usize = 10;

impl Schedules {
    /// Adds a schedule that acts for `caller`.
    ///
    /// # Errors
    /// [`Error::Field`], [`ScheduleError::Exists`], [`ScheduleError::Full`], [`ScheduleError::Denied`], the sources' and the
    /// vault's.
    pub(crate) async fn create(&self, caller: &Caller, name: &str, rules: Rules) -> Result<View> {
        rules.check()?;
        let cron = rules.clock()?;
        let now = self.clock.now_micros();
        let due_time = cron.after(now).ok_or_else(|| Error::field("cron", "is never due"))?;
        if rules.jitter > 0 && !cron.is_wider_than(rules.jitter, now) {
            return Err(Error::field("jitter", "must be shorter than the time between two runs"));
        }
        may_act(caller, &rules)?;
        self.stored.creations.check(&rules.request(), &rules.destinations).await?;
        let others = self.store.schedules().await?;
        if others.iter().any(|other| other.name == name) {
            return Err(ScheduleError::Exists(name.to_owned()).into());
        }
        if others.len() >= MOST {
            return Err(ScheduleError::Full(MOST).into());
        }
        let row = ScheduleRow {
            name: name.to_owned(),
            creator: caller.principal.id.clone(),
            delegation: caller.principal.delegation.expose().to_vec(),
            create_time: now,
            paused: false,
            orphan_time: None,
            due_time,
            start_time: due_time + delay(name, due_time, rules.jitter),
            reason: String::new(),
            problem: String::new(),
            verifying_id: String::new(),
            verifying_time: None,
            revision: 1,
            rules: to_json(&rules),
        };
        self.record(caller, "schedule.created", &row).await?;
        match self.store.create_schedule(&row).await {
            Err(error) if error.kind() == Kind::Unique => Err(ScheduleError::Exists(name.to_owned()).into()),
            Err(error) => Err(error.into()),
            Ok(()) => self.get(name).await,
        }
    }

    /// Nothing is due any more until [`Self::resume`].
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], the vault's.
    pub(crate) async fn pause(&self, caller: &Caller, name: &str) -> Result<View> {
        self.change(caller, "schedule.paused", name, |row| {
            Ok((!row.paused).then(|| ScheduleRow { paused: true, ..row.clone() }))
        })
        .await
    }

    /// Runs go on, and act for `caller` from now on.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Denied`], the vault's.
    pub(crate) async fn resume(&self, caller: &Caller, name: &str) -> Result<View> {
        self.change(caller, "schedule.resumed", name, |row| {
            let rules = Rules::of(row)?;
            may_act(caller, &rules)?;
            let due_time = rules.clock()?.after(self.clock.now_micros()).unwrap_or(i64::MAX);
            // One that is not paused keeps what it waits for.
            let due_time = if row.paused { due_time } else { row.due_time };
            Ok(Some(ScheduleRow {
                creator: caller.principal.id.clone(),
                delegation: caller.principal.delegation.expose().to_vec(),
                paused: false,
                orphan_time: None,
                due_time,
                start_time: due_time.saturating_add(delay(name, due_time, rules.jitter)),
                reason: String::new(),
                problem: String::new(),
                ..row.clone()
            }))
        })
        .await
    }

    /// Removes a schedule; its backups stay. `expected` is its etag, or empty.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Etag`], the vault's.
    pub(crate) async fn delete(&self, caller: &Caller, name: &str, expected: &str) -> Result<()> {
        let row = self.row(name).await?;
        if !expected.is_empty() && expected != etag(&row) {
            return Err(ScheduleError::Etag(name.to_owned()).into());
        }
        self.record(caller, "schedule.deleted", &row).await?;
        for _ in 0..ATTEMPTS {
            let Some(row) = self.store.schedule(name).await? else { return Ok(()) };
            if self.store.remove_schedule(name, row.revision).await? {
                return Ok(());
            }
        }
        Err(ScheduleError::Busy(name.to_owned()).into())
    }

    /// Begins a backup of the schedule now.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Overlap`], and those of a backup that cannot begin.
    pub(crate) async fn run_now(&self, caller: &Caller, name: &str) -> Result<StoredBackup> {
        let row = self.row(name).await?;
        if let Some(backup) = self.running.going_on(name).await? {
            return Err(ScheduleError::Overlap { backup }.into());
        }
        let rules = Rules::of(&row)?;
        let schedule = ScheduleRow { revision: row.revision + 1, ..row.clone() };
        let run =
            Run { turn: Turn { schedule, expected: row.revision }, due_time: None, limit: rules.limit() };
        let order = Order { destinations: &rules.destinations, run: Some(run), ..Order::default() };
        let creations = Arc::clone(&self.stored.creations);
        creations.begin(caller, &rules.request(), SealChoice::Configured, order).await
    }

    /// Reads, decides, and writes if nothing has changed meanwhile.
    async fn change(
        &self,
        caller: &Caller,
        event: &str,
        name: &str,
        decide: impl Fn(&ScheduleRow) -> Result<Option<ScheduleRow>>,
    ) -> Result<View> {
        let mut is_recorded = false;
        for _ in 0..ATTEMPTS {
            let row = self.row(name).await?;
            let Some(changed) = decide(&row)? else { return self.get(name).await };
            if !is_recorded {
                self.record(caller, event, &row).await?;
                is_recorded = true;
            }
            let schedule = ScheduleRow { revision: row.revision + 1, ..changed };
            if self.store.replace_schedule(&Turn { schedule, expected: row.revision }).await? {
                return self.get(name).await;
            }
        }
        Err(ScheduleError::Busy(name.to_owned()).into())
    }

    async fn record(&self, caller: &Caller, event: &str, row: &ScheduleRow) -> Result<()> {
        let mut metadata = Metadata::new();
        let Rules { cron, time_zone, include, tables, retention, .. } = Rules::of(row)?;
        put(&mut metadata, "cron", cron);
        put(&mut metadata, "time_zone", time_zone);
        // Names may be more than an event holds.
        put(&mut metadata, "include", include.len());
        put(&mut metadata, "tables", tables.len());
        put(&mut metadata, "retention", serde_json::to_value(retention).unwrap_or_default());
        let event = ServiceEvent {
            event: event.to_owned(),
            target: row.name.clone(),
            metadata,
            trace_id: caller.trace_id.clone(),
            outcome: AuditOutcome::Success.into(),
            operation_id: Uuid::now_v7().to_string(),
        };
        self.vault.record_patiently(&caller.principal.delegation, event).await
    }
}

/// A schedule does nothing that its creator may not do.
fn may_act(caller: &Caller, rules: &Rules) -> Result<()> {
    let deletes = rules.retention.map(|_| "backup.delete");
    match ["backup.create"].into_iter().chain(deletes).find(|permission| !caller.principal.may(permission)) {
        Some(missing) => Err(ScheduleError::Denied(missing).into()),
        None => Ok(()),
    }
}
