//! Restores in SQLite: stages, and a commit as one transaction.

use async_trait::async_trait;
use strongroom_runtime::failpoint;
use strongroom_store::{Error, Result};

use super::append::append_all;
use super::change::Change;
use super::key::newest_root;
use super::locks::{LOCK_RESTORED, LOCK_STAGE, LOCK_STAGE_HEAD};
use super::restore_rows::Walk;
use super::restore_undo::Undoing;
use super::restore_write::put_staged;
use super::{Connection, Store};
use crate::store::NewEvent;
use crate::store::key::{BUMP_RING, DEPLOYMENT, DeploymentRow, SET_DEPLOYMENT};
use crate::store::restore::record::Report;
use crate::store::restore::rows::StagedRow;
use crate::store::restore::undo::content;
use crate::store::restore::{
    ANY_CREDENTIAL, Added, Attempt, COMMIT_STAGE, Commit, Committed, DELETE_STAGE, DELETE_STAGED,
    DELETE_UNDO, END_STAGE, EXPIRED_STAGES, FINISH_STAGE, FORGET_STAGES, INSERT_STAGE, LAST_COMMIT,
    LATER_STAGE, ROLL_BACK_STAGE, RestoreMode, RestoreStore, RolledBack, STAGE, StageHead, StageRow,
    StageState, UNDONE_WITHIN,
};

#[async_trait]
impl RestoreStore for Store {
    async fn begin_stage(&self, stage: &StageRow) -> Result<Option<Attempt>> {
        let mut tx = self.begin().await?;
        let before = lock_head(&mut tx, &stage.id).await?;
        let mut attempt = Attempt { id: stage.id.clone(), create_time: stage.create_time };
        match before {
            Some(before) if !matches!(before.state, StageState::Staging | StageState::Staged) => {
                return Ok(None);
            }
            Some(before) if stage.statement.is_empty() && !before.statement.is_empty() => return Ok(None),
            Some(before) => attempt.create_time = attempt.create_time.max(before.create_time + 1),
            None => {}
        }
        sqlx::query(DELETE_STAGE).bind(&stage.id).execute(&mut *tx).await?;
        sqlx::query(INSERT_STAGE)
            .bind(&stage.id)
            .bind(stage.state.as_str())
            .bind(&stage.terms)
            .bind(&stage.statement)
            .bind(&stage.ring)
            .bind(&stage.tables)
            .bind(&stage.report)
            .bind(attempt.create_time)
            .bind(stage.expire_time)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(attempt))
    }

    async fn add_staged(&self, attempt: &Attempt, rows: &[StagedRow]) -> Result<Added> {
        let mut tx = self.begin().await?;
        let stage = lock_head(&mut tx, &attempt.id).await?;
        let is_open = |stage: StageHead| {
            stage.state == StageState::Staging && attempt.is_of(stage.state, stage.create_time)
        };
        if !stage.is_some_and(is_open) {
            return Ok(Added::Over);
        }
        if !put_staged(&mut tx, &attempt.id, rows).await? {
            return Ok(Added::Twice);
        }
        tx.commit().await?;
        Ok(Added::Done)
    }

    async fn finish_stage(&self, attempt: &Attempt, tables: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let finish = sqlx::query(FINISH_STAGE).bind(&attempt.id).bind(attempt.create_time).bind(tables);
        let done = finish.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn drop_attempt(&self, attempt: &Attempt) -> Result<()> {
        let mut tx = self.begin().await?;
        let stage = lock_head(&mut tx, &attempt.id).await?;
        if let Some(stage) = stage.filter(|stage| attempt.is_of(stage.state, stage.create_time)) {
            end_stage(&mut tx, &stage).await?;
        }
        tx.commit().await
    }

    async fn stage(&self, id: &str) -> Result<Option<StageRow>> {
        Ok(sqlx::query_as(STAGE).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn commit_stage(&self, commit: &Commit<'_>, event: &NewEvent) -> Result<Committed> {
        let mut tx = self.begin().await?;
        match lock_stage(&mut tx, &commit.attempt.id).await? {
            Some(stage) if stage.state == StageState::Committed => {
                return Ok(Committed::Already(report_of(&stage)?));
            }
            Some(stage)
                if stage.state == StageState::Staged
                    && commit.attempt.is_of(stage.state, stage.create_time)
                    && stage.statement == commit.statement => {}
            _ => return Ok(Committed::NotStaged),
        }
        sqlx::query(LOCK_RESTORED).execute(&mut *tx).await?;
        let is_empty = has_no_credential(&mut tx).await?;
        if !is_empty && (commit.mode == RestoreMode::IntoEmpty || commit.adopted.is_some()) {
            return Ok(Committed::NotEmpty);
        }
        let commit = &Commit { now: self.later(&mut tx, commit.now).await?, ..*commit };
        let walked = Walk::of(self, commit, event)?.walk(&mut tx).await?;
        let (mut report, events) = match walked {
            Ok(walked) => walked,
            Err(unknown) => return Ok(Committed::NoneToRevive(unknown)),
        };
        report.adopted = commit.adopted.map(str::to_owned);
        if !commit.is_trial {
            // The head is locked before the ring, as in every change of a key.
            append_with(&mut tx, &report.told_by(event), &events).await?;
        }
        let previous = match commit.adopted {
            Some(adopted) => Some(self.become_deployment(&mut tx, adopted).await?),
            None => None,
        };
        if commit.is_trial {
            return Ok(Committed::Done(report));
        }
        sqlx::query(COMMIT_STAGE)
            .bind(&commit.attempt.id)
            .bind(content(&report)?)
            .bind(commit.now)
            .bind(previous)
            .bind(commit.now.saturating_add(UNDONE_WITHIN))
            .execute(&mut *tx)
            .await?;
        failpoint::reached("vault.committing");
        tx.commit().await?;
        Ok(Committed::Done(report))
    }

    async fn roll_back_stage(
        &self,
        id: &str,
        discard_changes: bool,
        now: i64,
        event: &NewEvent,
    ) -> Result<RolledBack> {
        let mut tx = self.begin().await?;
        let stage = match lock_stage(&mut tx, id).await? {
            Some(stage) if stage.state == StageState::RolledBack => {
                return Ok(RolledBack::Already);
            }
            Some(stage) if stage.state == StageState::Committed => stage,
            _ => return Ok(RolledBack::NotCommitted),
        };
        sqlx::query(LOCK_RESTORED).execute(&mut *tx).await?;
        let later: Option<String> =
            sqlx::query_scalar(LATER_STAGE).bind(stage.commit_time).fetch_optional(&mut *tx).await?;
        if let Some(later) = later {
            return Ok(RolledBack::Superseded(later));
        }
        let now = self.later(&mut tx, now).await?;
        let undone = Undoing::of(self, id, now, event)?.undo(&mut tx).await?;
        if !undone.changed.is_empty() && !discard_changes {
            return Ok(RolledBack::Changed(undone.changed));
        }
        append_with(&mut tx, &undone.report.told_by(event), &undone.events).await?;
        if let Some(previous) = &stage.previous_deployment {
            self.become_deployment(&mut tx, previous).await?;
        }
        sqlx::query(ROLL_BACK_STAGE).bind(id).bind(content(&undone.report)?).execute(&mut *tx).await?;
        failpoint::reached("vault.undoing");
        tx.commit().await?;
        Ok(RolledBack::Done)
    }

    async fn drop_stage(&self, id: &str, only_staged: bool) -> Result<bool> {
        let mut tx = self.begin().await?;
        let Some(stage) = lock_head(&mut tx, id).await? else { return Ok(true) };
        if only_staged && stage.state == StageState::Committed {
            return Ok(false);
        }
        end_stage(&mut tx, &stage).await?;
        failpoint::reached("vault.dropping");
        tx.commit().await?;
        Ok(true)
    }

    async fn sweep_stages(&self, now: i64, forgotten: i64) -> Result<()> {
        let expired: Vec<String> =
            sqlx::query_scalar(EXPIRED_STAGES).bind(now).fetch_all(self.reader()).await?;
        for id in expired {
            let mut tx = self.begin().await?;
            // The stage may have been committed, or begun again, since it was read.
            let stage = lock_head(&mut tx, &id).await?;
            if let Some(stage) = stage.filter(|stage| stage.expire_time <= now) {
                end_stage(&mut tx, &stage).await?;
            }
            tx.commit().await?;
        }
        let mut tx = self.begin().await?;
        sqlx::query(FORGET_STAGES).bind(forgotten).execute(&mut *tx).await?;
        tx.commit().await
    }

    async fn is_empty(&self) -> Result<bool> {
        let mut reader = self.reader().acquire().await?;
        has_no_credential(&mut reader).await
    }
}

impl Store {
    /// `now`, or just after the newest commit of a restore if that is later: this process's clock may be behind that of
    /// the process that committed. The order of these times decides which restore must be rolled back first.
    async fn later(&self, tx: &mut Connection, now: i64) -> Result<i64> {
        let last: Option<i64> = sqlx::query_scalar(LAST_COMMIT).fetch_one(tx).await?;
        Ok(last.map_or(now, |last| now.max(last.saturating_add(1))))
    }

    /// Makes the vault another deployment; returns the previous one.
    async fn become_deployment(&self, tx: &mut Connection, deployment_id: &str) -> Result<String> {
        let root = newest_root(tx).await?;
        let found: DeploymentRow = sqlx::query_as(DEPLOYMENT).fetch_one(&mut *tx).await?;
        let previous = self.states.open_deployment(&root, found)?;
        let code = self.states.deployment_code(&root, deployment_id)?;
        sqlx::query(SET_DEPLOYMENT).bind(deployment_id).bind(code).execute(&mut *tx).await?;
        sqlx::query(BUMP_RING).execute(tx).await?;
        Ok(previous)
    }
}

async fn lock_stage(tx: &mut Connection, id: &str) -> Result<Option<StageRow>> {
    Ok(sqlx::query_as(LOCK_STAGE).bind(id).fetch_optional(tx).await?)
}

async fn lock_head(tx: &mut Connection, id: &str) -> Result<Option<StageHead>> {
    Ok(sqlx::query_as(LOCK_STAGE_HEAD).bind(id).fetch_optional(tx).await?)
}

/// The row of a committed stage remains, without its staged rows, so that its grant cannot be used again.
async fn end_stage(tx: &mut Connection, stage: &StageHead) -> Result<()> {
    sqlx::query(DELETE_STAGED).bind(&stage.id).execute(&mut *tx).await?;
    sqlx::query(DELETE_UNDO).bind(&stage.id).execute(&mut *tx).await?;
    if matches!(stage.state, StageState::Staging | StageState::Staged) {
        sqlx::query(DELETE_STAGE).bind(&stage.id).execute(tx).await?;
    } else {
        sqlx::query(END_STAGE).bind(&stage.id).execute(tx).await?;
    }
    Ok(())
}

async fn has_no_credential(connection: &mut Connection) -> Result<bool> {
    let some: i64 = sqlx::query_scalar(ANY_CREDENTIAL).fetch_one(connection).await?;
    Ok(some == 0)
}

/// Appends the restore's own event, then those of its rows.
async fn append_with(tx: &mut Change, event: &NewEvent, rows: &[NewEvent]) -> Result<()> {
    let events: Vec<&NewEvent> = std::iter::once(event).chain(rows).collect();
    for some in events.chunks(100) {
        append_all(tx, some).await?;
    }
    Ok(())
}

fn report_of(stage: &StageRow) -> Result<Report> {
    serde_json::from_str(&stage.report)
        .map_err(|_| Error::Tampered { table: "restore_stages", row: stage.id.clone() })
}
