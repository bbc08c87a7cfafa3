//! Restores the vault's own rows, by the vault's own rules.
//!
//! A service that restores sends an archive's rows, together with its key ring and a grant. [`terms`] is what a grant
//! allows. [`staging`] checks each row with the archive's keys and stores it beside the live ones; [`reading`] parses
//! the archive's row format, and [`resealing`] seals secrets again that were sealed under another root key. [`places`]
//! limits the vault's resources that all this takes; `warnings` and [`event`] are the reports of a plan and a commit.
//! `store/restore` has the rules by which a commit writes rows.

mod event;
mod places;
mod reading;
mod resealing;
mod staging;
mod terms;
mod warnings;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use strongroom_runtime::{Caller, Clock, failpoint};

use crate::access::Grants;
use crate::audit::Event;
use crate::error::{RestoreError, Result};
use crate::keys::{ForeignRings, Merges, OpenedRing, Ring};
use crate::store::restore::record::Report;
use crate::store::restore::{Attempt, Commit, Committed, RestoreMode, RolledBack, StageState};
use crate::store::{StageRow, Store};
use event::applied;
use places::Places;
pub(crate) use reading::is_restored;
pub(crate) use staging::Staging;
pub(crate) use terms::{OldHead, Terms};
use warnings::warnings;

/// Lifetime of an uncommitted stage, in microseconds: that of its grant.
const STAGED_FOR: i64 = 24 * 3600 * 1_000_000;
/// Lifetime of the stage of a plan, in microseconds; it is dropped earlier, when the plan ends.
const PLANNED_FOR: i64 = 3600 * 1_000_000;

/// Reason for ending a stream when another call fills its stage.
const BEGUN_ANEW: &str = "its stage was begun again by another call, or dropped";

/// A stage with its report.
pub(crate) struct Staged {
    pub(crate) row: StageRow,
    pub(crate) report: Report,
    pub(crate) warnings: Vec<String>,
}

/// The first message of a stage.
pub(crate) struct Beginning {
    pub(crate) terms: Terms,
    pub(crate) ring: Vec<u8>,
    pub(crate) grant: Vec<u8>,
    pub(crate) is_plan: bool,
}

/// Restores of this vault.
pub(crate) struct Restoring {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    rings: Arc<ForeignRings>,
    merges: Arc<Merges>,
    grants: Arc<Grants>,
    clock: Arc<dyn Clock>,
    pub(crate) places: Places,
}

impl Restoring {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        ring: Arc<Ring>,
        (rings, merges): (Arc<ForeignRings>, Arc<Merges>),
        grants: Arc<Grants>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, ring, rings, merges, grants, clock, places: Places::default() }
    }

    /// Begins a stage or a plan; a plan needs no grant and leaves nothing.
    ///
    /// # Errors
    /// [`RestoreError`], and those of the ring.
    pub(crate) async fn begin(&self, beginning: &Beginning) -> Result<Staging> {
        let Beginning { terms, ring, grant, is_plan } = beginning;
        let opened = self.rings.open(ring).await?;
        terms.check_deployment_of(&opened)?;
        self.adopted(terms, &opened).await?;
        if !is_plan {
            self.grants.open(&terms.principal, grant, &terms.digest()?).await?;
        }
        if opened.is_of_current_root {
            self.merges.check(ring).await?;
        }
        let now = self.clock.now_micros();
        let lasts = if *is_plan { PLANNED_FOR } else { STAGED_FOR };
        let stage = StageRow {
            id: terms.restore_id.clone(),
            state: StageState::Staging,
            terms: terms.to_json()?,
            statement: if *is_plan { Vec::new() } else { grant.clone() },
            ring: ring.clone(),
            tables: "[]".into(),
            report: "{}".into(),
            create_time: now,
            expire_time: now.saturating_add(lasts),
            commit_time: None,
            previous_deployment: None,
        };
        if let Some(before) = self.store.stage(&stage.id).await? {
            self.owned(&before, &terms.principal)?;
        }
        let Some(attempt) = self.store.begin_stage(&stage).await? else {
            return Err(self.begun_before(&stage.id).await?);
        };
        failpoint::reached("vault.stage_begun");
        let (store, live) = (Arc::clone(&self.store), self.ring.current());
        Ok(Staging::new(store, attempt, opened, live, terms.accept_undecryptable))
    }

    async fn begun_before(&self, id: &str) -> Result<crate::error::Error> {
        let state = self.store.stage(id).await?.map(|stage| stage.state);
        Ok(match state {
            Some(StageState::Committed) => RestoreError::StageCommitted(id.to_owned()).into(),
            Some(state @ (StageState::Staging | StageState::Staged)) => {
                let needs = "a plan needs an id of its own";
                RestoreError::StageState { id: id.to_owned(), state: state.as_str(), needs }.into()
            }
            _ => RestoreError::GrantUsed(id.to_owned()).into(),
        })
    }

    /// Drops the leftovers of a stream that did not complete.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn abandon(&self, attempt: &Attempt) -> Result<()> {
        Ok(self.store.drop_attempt(attempt).await?)
    }

    /// Completes the stage and reports what its commit would do. The stage of a plan is dropped.
    ///
    /// # Errors
    /// The reason why the commit would fail.
    pub(crate) async fn finish(&self, beginning: &Beginning, staging: Staging) -> Result<Staged> {
        let terms = &beginning.terms;
        let (attempt, tables, opened) = staging.finish()?;
        let (id, names) = (attempt.id.clone(), serde_json::json!(tables).to_string());
        if !self.store.finish_stage(&attempt, &names).await? {
            return Err(RestoreError::Protocol(BEGUN_ANEW.to_owned()).into());
        }
        failpoint::reached("vault.stage_whole");
        let adopted = self.adopted(terms, &opened).await?;
        let event = Event::by_system(self.clock.now_micros(), "restore.applied", &id).of_change().finish();
        let statement = if beginning.is_plan { &[] } else { beginning.grant.as_slice() };
        let commit = self.commit_of((&attempt, statement, terms, &tables), &opened, adopted.as_deref(), true);
        let _turn = if beginning.is_plan { Some(self.places.turn().await) } else { None };
        let report = self.settled(terms, self.store.commit_stage(&commit, &event).await?)?;
        let row = self.stage(&id).await?;
        if beginning.is_plan {
            self.store.drop_attempt(&attempt).await?;
        }
        Ok(Staged { row, warnings: warnings(terms, &opened, adopted.as_deref(), &report), report })
    }

    /// A stage that the caller began.
    ///
    /// # Errors
    /// [`RestoreError::StageNotFound`].
    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<Staged> {
        let row = self.stage(id).await?;
        self.owned(&row, &caller.principal.id)?;
        staged(row)
    }

    /// Commits a stage: its rows become live.
    ///
    /// # Errors
    /// [`RestoreError`], and those of merging the rings.
    pub(crate) async fn commit(&self, caller: &Caller, id: &str) -> Result<Staged> {
        let stage = self.stage(id).await?;
        let terms = self.owned(&stage, &caller.principal.id)?;
        if stage.state == StageState::Committed {
            return staged(stage);
        }
        check_whole(&stage)?;
        let granted = self.grants.open(&terms.principal, &stage.statement, &terms.digest()?).await?;
        let opened = self.rings.open(&stage.ring).await?;
        let adopted = self.adopted(&terms, &opened).await?;
        if terms.mode == RestoreMode::IntoEmpty && !self.store.is_empty().await? {
            return Err(RestoreError::NotEmpty.into());
        }
        let granter = granted.acting(caller);
        if opened.is_of_current_root {
            self.merges.merge(&granter, &stage.ring).await?;
        }
        failpoint::reached("vault.ring_merged");
        let tables = tables_of(&stage)?;
        let event = applied(&granter, self.clock.now_micros(), (&terms, &granted));
        let attempt = Attempt { id: id.to_owned(), create_time: stage.create_time };
        let what = (&attempt, stage.statement.as_slice(), &terms, tables.as_slice());
        let commit = self.commit_of(what, &opened, adopted.as_deref(), false);
        self.settled(&terms, self.store.commit_stage(&commit, &event).await?)?;
        failpoint::reached("vault.committed");
        self.ring.reload().await?;
        staged(self.stage(id).await?)
    }

    /// Rolls a commit back, with the grant that it was made with.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub(crate) async fn roll_back(
        &self,
        caller: &Caller,
        id: &str,
        grant: &[u8],
        discard_changes: bool,
    ) -> Result<Staged> {
        let stage = self.stage(id).await?;
        self.owned(&stage, &caller.principal.id)?;
        check_grant(&stage, grant)?;
        let now = self.clock.now_micros();
        let event = Event::by(caller, now, "restore.taken_back", id).of_change().finish();
        match self.store.roll_back_stage(id, discard_changes, now, &event).await? {
            RolledBack::Done => {
                failpoint::reached("vault.undone");
                self.ring.reload().await?;
            }
            RolledBack::Already => {}
            RolledBack::NotCommitted => {
                let needs = "only a committed one can be rolled back";
                let (id, state) = (id.to_owned(), stage.state.as_str());
                return Err(RestoreError::StageState { id, state, needs }.into());
            }
            RolledBack::Superseded(later) => {
                return Err(RestoreError::Superseded { id: id.to_owned(), later }.into());
            }
            RolledBack::Changed(rows) => return Err(RestoreError::Changed { rows: rows.join(", ") }.into()),
        }
        staged(self.stage(id).await?)
    }

    /// Drops a stage, or its leftovers. For a committed stage this needs its grant; the commit can then no longer be
    /// rolled back.
    ///
    /// # Errors
    /// [`RestoreError::StageCommitted`], [`RestoreError::GrantMissing`], [`RestoreError::GrantInvalid`].
    pub(crate) async fn abort(
        &self,
        caller: &Caller,
        id: &str,
        grant: &[u8],
        only_staged: bool,
    ) -> Result<()> {
        let Some(stage) = self.store.stage(id).await? else { return Ok(()) };
        self.owned(&stage, &caller.principal.id)?;
        let only_staged = only_staged || stage.state != StageState::Committed;
        if !only_staged {
            check_grant(&stage, grant)?;
        }
        if self.store.drop_stage(id, only_staged).await? {
            failpoint::reached("vault.dropped");
            return Ok(());
        }
        Err(RestoreError::StageCommitted(id.to_owned()).into())
    }

    /// The deployment that the vault adopts: an empty vault adopts the archive's, unless it is to be a copy.
    async fn adopted(&self, terms: &Terms, opened: &OpenedRing) -> Result<Option<String>> {
        if opened.deployment_id == self.ring.deployment_id() {
            return Ok(None);
        }
        if self.store.is_empty().await? {
            return Ok((!terms.as_copy).then(|| opened.deployment_id.clone()));
        }
        if terms.from_deployment == opened.deployment_id {
            return Ok(None);
        }
        Err(RestoreError::ForeignDeployment { found: opened.deployment_id.clone() }.into())
    }

    fn commit_of<'c>(
        &self,
        (attempt, statement, terms, tables): (&'c Attempt, &'c [u8], &'c Terms, &'c [String]),
        opened: &'c OpenedRing,
        adopted: Option<&'c str>,
        is_trial: bool,
    ) -> Commit<'c> {
        Commit {
            attempt,
            statement,
            mode: terms.mode,
            revived: &terms.revive_ids,
            tables,
            keys: &opened.row_keys,
            adopted,
            now: self.clock.now_micros(),
            is_trial,
        }
    }

    fn settled(&self, terms: &Terms, committed: Committed) -> Result<Report> {
        match committed {
            Committed::Done(report) | Committed::Already(report) => Ok(report),
            Committed::NotStaged => Err(not_whole(terms.restore_id.clone()).into()),
            Committed::NotEmpty => Err(RestoreError::NotEmpty.into()),
            Committed::NoneToRevive(id) => Err(RestoreError::NoneToRevive(id).into()),
        }
    }

    async fn stage(&self, id: &str) -> Result<StageRow> {
        let found = self.store.stage(id).await?;
        found.ok_or_else(|| RestoreError::StageNotFound(id.to_owned()).into())
    }

    /// The terms of a stage, if `principal` began it. Another service does not learn that the stage exists.
    fn owned(&self, stage: &StageRow, principal: &str) -> Result<Terms> {
        let terms = Terms::of(stage)?;
        if terms.principal != principal {
            return Err(RestoreError::StageNotFound(stage.id.clone()).into());
        }
        Ok(terms)
    }
}

/// Checked before the rings are merged, so a refused commit changes nothing. The commit checks it again.
fn check_whole(stage: &StageRow) -> Result<()> {
    let id = stage.id.clone();
    match stage.state {
        StageState::Staged | StageState::Committed => Ok(()),
        StageState::Staging => Err(not_whole(id).into()),
        StageState::RolledBack | StageState::Done => Err(RestoreError::GrantUsed(id).into()),
    }
}

fn not_whole(id: String) -> RestoreError {
    RestoreError::StageState {
        id,
        state: "not whole",
        needs: "only a whole stage can be committed; stage it again",
    }
}

/// Checks that the grant is the stage's: the service's token alone cannot roll back a commit. The grant was opened at
/// the commit, so its expiry and the grantor's permission no longer matter. Digests are compared, so the time of the
/// comparison reveals nothing about the grant.
fn check_grant(stage: &StageRow, grant: &[u8]) -> Result<()> {
    if grant.is_empty() {
        return Err(RestoreError::GrantMissing.into());
    }
    if Sha256::digest(grant) != Sha256::digest(&stage.statement) {
        return Err(RestoreError::GrantInvalid.into());
    }
    Ok(())
}

fn staged(row: StageRow) -> Result<Staged> {
    let report = if row.report == "{}" { Report::default() } else { report_of(&row)? };
    Ok(Staged { row, report, warnings: Vec::new() })
}

fn report_of(stage: &StageRow) -> Result<Report> {
    let unreadable = |_| crate::error::Error::Inconsistent(format!("restore_stages.report of {}", stage.id));
    serde_json::from_str(&stage.report).map_err(unreadable)
}

fn tables_of(stage: &StageRow) -> Result<Vec<String>> {
    let unreadable = |_| crate::error::Error::Inconsistent(format!("restore_stages.tables of {}", stage.id));
    serde_json::from_str(&stage.tables).map_err(unreadable)
}
