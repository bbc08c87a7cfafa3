//! Changes that callers make to schedules.
//!
//! A change is recorded in the audit log before it is made: a change that cannot be recorded is not made.

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Caller;
use strongroom_store::Kind;
use uuid::Uuid;

use super::cron::delay;
use super::rules::Rules;
use super::{MOST, Schedules, View, etag};
use crate::backups::catalogue::record_failure;
use crate::backups::record::to_json;
use crate::backups::{Order, Run};
use crate::error::{Error, Result, ScheduleError};
use crate::operation::{Metadata, put};
use crate::seal::SealChoice;
use crate::store::{ScheduleRow, StoredBackup, Turn};

/// Maximum number of attempts at a change.
const ATTEMPTS: usize = 10;

impl Schedules {
    /// Adds a schedule that acts for `caller`.
    ///
    /// # Errors
    /// [`Error::Field`], [`ScheduleError::Exists`], [`ScheduleError::Full`], [`ScheduleError::Denied`],
    /// [`DrillError::NoScratch`], and errors of the sources and the vault.
    ///
    /// [`DrillError::NoScratch`]: crate::error::DrillError::NoScratch
    pub(crate) async fn create(&self, caller: &Caller, name: &str, rules: Rules) -> Result<View> {
        rules.check()?;
        let cron = rules.clock()?;
        let now = self.clock.now_micros();
        let due_time = cron.after(now).ok_or_else(|| Error::field("cron", "is never due"))?;
        if rules.jitter > 0 && !cron.is_wider_than(rules.jitter, now) {
            return Err(Error::field("jitter", "must be shorter than the time between two runs"));
        }
        may_act(caller, &rules)?;
        self.drilling.check(&rules)?;
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
            verifying_time: None,
            revision: 1,
            rules: to_json(&rules),
        };
        let event = self.record(caller, "schedule.created", &row).await?;
        let created = match self.store.create_schedule(&row).await {
            Err(error) if error.kind() == Kind::Unique => Err(ScheduleError::Exists(name.to_owned()).into()),
            ended => ended.map_err(Error::from),
        };
        self.confirm(caller, event, created).await?;
        self.get(name).await
    }

    /// From now on, nothing is due until [`Self::resume`].
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], and the vault's errors.
    pub(crate) async fn pause(&self, caller: &Caller, name: &str) -> Result<View> {
        let paused = |row: &ScheduleRow| (!row.paused).then(|| ScheduleRow { paused: true, ..row.clone() });
        self.change(caller, "schedule.paused", name, paused).await
    }

    /// Continues the runs; from now on, they act for `caller`.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Denied`], the vault's errors, and those of [`Creations::check`],
    /// because a restore may have added the schedule where its tables and destinations do not exist.
    ///
    /// [`Creations::check`]: crate::backups::Creations::check
    pub(crate) async fn resume(&self, caller: &Caller, name: &str) -> Result<View> {
        let rules = Rules::of(&self.row(name).await?)?;
        may_act(caller, &rules)?;
        self.drilling.check(&rules)?;
        self.stored.creations.check(&rules.request(), &rules.destinations).await?;
        let next = rules.clock()?.after(self.clock.now_micros()).unwrap_or(i64::MAX);
        self.change(caller, "schedule.resumed", name, |row| {
            // A schedule that is not paused keeps its due time.
            let due_time = if row.paused { next } else { row.due_time };
            Some(ScheduleRow {
                creator: caller.principal.id.clone(),
                delegation: caller.principal.delegation.expose().to_vec(),
                paused: false,
                orphan_time: None,
                due_time,
                start_time: due_time.saturating_add(delay(name, due_time, rules.jitter)),
                reason: String::new(),
                problem: String::new(),
                ..row.clone()
            })
        })
        .await
    }

    /// Removes a schedule; its backups stay. `expected` is its etag, or empty.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Etag`], and the vault's errors.
    pub(crate) async fn delete(&self, caller: &Caller, name: &str, expected: &str) -> Result<()> {
        let row = self.row(name).await?;
        check_etag(&row, expected)?;
        let event = self.record(caller, "schedule.deleted", &row).await?;
        let removed = self.remove(name, expected).await;
        self.confirm(caller, event, removed).await
    }

    async fn remove(&self, name: &str, expected: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(row) = self.store.schedule(name).await? else { return Ok(()) };
            check_etag(&row, expected)?;
            if self.store.remove_schedule(name, row.revision).await? {
                return Ok(());
            }
        }
        Err(ScheduleError::Busy(name.to_owned()).into())
    }

    /// Begins a backup of the schedule now.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`], [`ScheduleError::Denied`], [`ScheduleError::Overlap`], and errors that keep a
    /// backup from beginning.
    pub(crate) async fn run_now(&self, caller: &Caller, name: &str) -> Result<StoredBackup> {
        let row = self.row(name).await?;
        may(caller, "backup.create")?;
        if let Some(backup) = self.running.going_on(name).await? {
            return Err(ScheduleError::Overlap { backup }.into());
        }
        let rules = Rules::of(&row)?;
        let run = Run { turn: Turn::of(&row, |_| {}), due_time: None, limit: rules.limit() };
        let order = Order { destinations: &rules.destinations, run: Some(run), ..Order::default() };
        self.stored.creations.begin(caller, &rules.request(), SealChoice::Configured, order).await
    }

    /// Reads, decides, and writes if nothing has changed meanwhile.
    async fn change(
        &self,
        caller: &Caller,
        event: &str,
        name: &str,
        decide: impl Fn(&ScheduleRow) -> Option<ScheduleRow>,
    ) -> Result<View> {
        let row = self.row(name).await?;
        if decide(&row).is_some() {
            let event = self.record(caller, event, &row).await?;
            let changed = self.try_change(name, decide).await;
            self.confirm(caller, event, changed).await?;
        }
        self.get(name).await
    }

    async fn try_change(
        &self,
        name: &str,
        decide: impl Fn(&ScheduleRow) -> Option<ScheduleRow>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let row = self.row(name).await?;
            let Some(changed) = decide(&row) else { return Ok(()) };
            if self.store.replace_schedule(&Turn::of(&row, |row| *row = changed)).await? {
                return Ok(());
            }
        }
        Err(ScheduleError::Busy(name.to_owned()).into())
    }

    /// The event is durable once this returns.
    async fn record(&self, caller: &Caller, event: &str, row: &ScheduleRow) -> Result<ServiceEvent> {
        let mut metadata = Metadata::new();
        let Rules { cron, time_zone, include, tables, retention, .. } = Rules::of(row)?;
        put(&mut metadata, "cron", cron);
        put(&mut metadata, "time_zone", time_zone);
        // There may be more names than an event can hold.
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
        self.vault.record_patiently(&caller.principal.delegation, event.clone()).await?;
        Ok(event)
    }

    /// Corrects the event of a change that failed.
    async fn confirm(&self, caller: &Caller, event: ServiceEvent, ended: Result<()>) -> Result<()> {
        if let Err(error) = &ended {
            record_failure(&self.vault, caller, event, error).await;
        }
        ended
    }
}

/// A schedule cannot do anything for which its creator lacks permission.
fn may_act(caller: &Caller, rules: &Rules) -> Result<()> {
    may(caller, "backup.create")?;
    rules.retention.map_or(Ok(()), |_| may(caller, "backup.delete"))?;
    rules.verify_every.or(rules.drill_every).map_or(Ok(()), |_| may(caller, "backup.verify"))
}

fn may(caller: &Caller, permission: &'static str) -> Result<()> {
    match caller.principal.may(permission) {
        true => Ok(()),
        false => Err(ScheduleError::Denied(permission).into()),
    }
}

fn check_etag(row: &ScheduleRow, expected: &str) -> Result<()> {
    match expected.is_empty() || expected == etag(row) {
        true => Ok(()),
        false => Err(ScheduleError::Etag(row.name.clone()).into()),
    }
}
