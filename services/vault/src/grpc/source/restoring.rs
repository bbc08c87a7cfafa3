//! The stream of `StageTables`, and conversions of stages and terms.

use std::time::Duration;

use strongroom_api::source::v1::stage::State;
use strongroom_api::source::v1::stage_tables_request::{Begin, Message};
use strongroom_api::source::v1::touched_row::Change;
use strongroom_api::source::v1::{
    AuditHead, KeptRow, RestoreMode as ProtoMode, Stage, StageTablesRequest, StagedTable, TouchedRow,
};
use strongroom_api::vault::v1::RestoreTerms;
use strongroom_runtime::Caller;
use strongroom_runtime::status::status;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::error::{DOMAIN, Error, RestoreError, Result};
use crate::grpc::convert::timestamp;
use crate::grpc::fields;
use crate::source::{Beginning, OldHead, Restoring, Staged, Staging, Terms};
use crate::store::restore::record::{TableReport, Touch};
use crate::store::restore::{RestoreMode, StageState};

/// How long a client may keep silent.
const IDLE: Duration = Duration::from_secs(60);
/// How long a stream may last.
const LIFE: Duration = Duration::from_secs(3600);
/// Ids that somebody may name.
const MAX_REVIVED: usize = 10_000;

/// Takes a whole stream. What does not come to its end leaves nothing.
pub(super) async fn stage(
    restoring: &Restoring,
    caller: &Caller,
    mut requests: Streaming<StageTablesRequest>,
) -> Result<Staged, Status> {
    let _place = restoring.place()?;
    let Some(Message::Begin(begin)) = next(&mut requests).await? else {
        return Err(Error::from(RestoreError::Protocol("the first message must be `begin`".into())).into());
    };
    let beginning = beginning(caller, begin)?;
    let staging = restoring.begin(&beginning).await?;
    let attempt = staging.attempt().clone();
    let taking = take(restoring, &beginning, staging, &mut requests);
    let taken = timeout(LIFE, taking).await.unwrap_or_else(|_| {
        Err(status(
            Code::DeadlineExceeded,
            DOMAIN,
            "STREAM_LIMIT",
            "the stage has taken an hour; it was dropped",
            &[],
        ))
    });
    if taken.is_err() {
        restoring.abandon(&attempt).await?;
    }
    taken
}

async fn take(
    restoring: &Restoring,
    beginning: &Beginning,
    mut staging: Staging,
    requests: &mut Streaming<StageTablesRequest>,
) -> Result<Staged, Status> {
    while let Some(message) = next(requests).await? {
        match message {
            Message::Begin(_) => {
                return Err(Error::from(RestoreError::Protocol("`begin` comes once".into())).into());
            }
            Message::Table(table) => staging.begin_table(&table.name)?,
            Message::Rows(rows) => staging.add(&rows.json).await?,
            Message::TableEnd(end) => staging.end_table(end.rows).await?,
        }
    }
    Ok(restoring.finish(beginning, staging).await?)
}

async fn next(requests: &mut Streaming<StageTablesRequest>) -> Result<Option<Message>, Status> {
    let silent = |_| status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", "no message came for 60 s", &[]);
    match timeout(IDLE, requests.message()).await.map_err(silent)?? {
        None => Ok(None),
        Some(StageTablesRequest { message: Some(message) }) => Ok(Some(message)),
        Some(_) => Err(Error::from(RestoreError::Protocol("a message is empty".into())).into()),
    }
}

fn beginning(caller: &Caller, begin: Begin) -> Result<Beginning> {
    fields::ring("begin.ring", &begin.ring)?;
    let archive = begin.archive.clone().unwrap_or_default();
    let terms = terms(RestoreTerms {
        principal: caller.principal.id.clone(),
        restore_id: begin.stage_id,
        archive_id: archive.archive_id,
        manifest_sha256: archive.manifest_sha256,
        deployment_id: archive.deployment_id,
        mode: begin.mode,
        revive_ids: begin.revive_ids,
        as_copy: begin.as_copy,
        from_deployment: begin.from_deployment,
        accept_undecryptable: begin.accept_undecryptable,
        audit_head: archive.audit_head,
    })?;
    let grant = begin.grant.map(|grant| grant.statement.to_vec()).unwrap_or_default();
    Ok(Beginning { terms, ring: begin.ring.to_vec(), grant, is_plan: begin.dry_run })
}

/// What a grant is for, or a stage goes by.
pub(in crate::grpc) fn terms(given: RestoreTerms) -> Result<Terms> {
    let mode = match given.mode() {
        ProtoMode::IntoEmpty => RestoreMode::IntoEmpty,
        ProtoMode::Merge => RestoreMode::Merge,
        ProtoMode::Replace => RestoreMode::Replace,
        ProtoMode::Unspecified => {
            return Err(Error::Field { field: "mode", problem: "must be given".into() });
        }
    };
    if given.manifest_sha256.len() != 32 {
        return Err(Error::Field { field: "manifest_sha256", problem: "must have 32 bytes".into() });
    }
    if given.revive_ids.len() > MAX_REVIVED {
        let problem = format!("has more than {MAX_REVIVED} ids");
        return Err(Error::Field { field: "revive_ids", problem });
    }
    let ids = given.revive_ids.iter().map(|id| fields::id("revive_ids", id)).collect::<Result<_>>()?;
    Ok(Terms {
        principal: fields::target("principal", &given.principal)?,
        restore_id: fields::id("restore_id", &given.restore_id)?,
        archive_id: fields::id("archive_id", &given.archive_id)?,
        manifest_sha256: hex::encode(&given.manifest_sha256),
        deployment_id: fields::filter("deployment_id", &given.deployment_id)?,
        mode,
        revive_ids: ids,
        as_copy: given.as_copy,
        from_deployment: fields::filter("from_deployment", &given.from_deployment)?,
        accept_undecryptable: given.accept_undecryptable,
        old_head: given.audit_head.map(old_head).transpose()?,
    })
}

fn old_head(head: AuditHead) -> Result<OldHead> {
    Ok(OldHead {
        chain: fields::filter("audit_head.chain", &head.chain)?,
        sequence: head.sequence,
        mac: fields::filter("audit_head.mac", &head.mac)?,
    })
}

impl From<Staged> for Stage {
    fn from(staged: Staged) -> Self {
        let Staged { row, report, warnings } = staged;
        let kept = report.kept.into_iter().map(|kept| KeptRow {
            table: kept.table,
            id: kept.row.id,
            reason: kept.reason,
            name: kept.row.name,
        });
        Self {
            stage_id: row.id,
            state: state(row.state).into(),
            create_time: Some(timestamp(row.create_time)),
            expire_time: Some(timestamp(row.expire_time)),
            tables: report.tables.into_iter().map(table).collect(),
            kept: kept.collect(),
            kept_total: report.kept_total,
            warnings,
        }
    }
}

fn state(state: StageState) -> State {
    match state {
        StageState::Staging => State::Unspecified,
        StageState::Staged => State::Staged,
        StageState::Committed => State::Committed,
        StageState::RolledBack | StageState::Done => State::RolledBack,
    }
}

fn table(report: TableReport) -> StagedTable {
    let examples = report.examples.into_iter().map(|touched| {
        let change = match touched.touch {
            Touch::Created => Change::Created,
            Touch::Changed => Change::Changed,
            Touch::Deleted => Change::Deleted,
        };
        TouchedRow { change: change.into(), id: touched.row.id, name: touched.row.name }
    });
    StagedTable {
        name: report.name,
        rows: report.rows,
        created: report.created,
        changed: report.changed,
        deleted: report.deleted,
        kept: report.kept,
        stale: report.stale,
        examples: examples.collect(),
    }
}
