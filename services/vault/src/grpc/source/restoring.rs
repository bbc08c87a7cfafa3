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

/// Maximum silence of a client.
const IDLE: Duration = Duration::from_secs(60);
/// Maximum duration of a stream.
const LIFE: Duration = Duration::from_secs(3600);
/// Maximum number of ids in `revive_ids`.
const MAX_REVIVED: usize = 10_000;

/// Reads a whole stream. A stream that does not complete leaves nothing.
pub(super) async fn stage(
    restoring: &Restoring,
    caller: &Caller,
    mut requests: Streaming<StageTablesRequest>,
) -> Result<Staged, Status> {
    let Some(Message::Begin(begin)) = next(&mut requests).await? else {
        return Err(Error::from(RestoreError::Protocol("the first message must be `begin`".into())).into());
    };
    let beginning = beginning(caller, begin)?;
    let _place = restoring.places.take(beginning.is_plan)?;
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
                return Err(Error::from(RestoreError::Protocol("`begin` is sent once".into())).into());
            }
            Message::Table(table) => staging.begin_table(&table.name)?,
            Message::Rows(rows) => staging.add(&rows.json).await?,
            Message::TableEnd(end) => staging.end_table(end.rows).await?,
        }
    }
    Ok(restoring.finish(beginning, staging).await?)
}

async fn next(requests: &mut Streaming<StageTablesRequest>) -> Result<Option<Message>, Status> {
    let silent =
        |_| status(Code::DeadlineExceeded, DOMAIN, "STREAM_LIMIT", "no message arrived for 60 s", &[]);
    match timeout(IDLE, requests.message()).await.map_err(silent)?? {
        None => Ok(None),
        Some(StageTablesRequest { message: Some(message) }) => Ok(Some(message)),
        Some(_) => Err(Error::from(RestoreError::Protocol("a message is empty".into())).into()),
    }
}

fn beginning(caller: &Caller, begin: Begin) -> Result<Beginning> {
    fields::ring("begin.ring", &begin.ring)?;
    let archive = begin.archive.clone().unwrap_or_default();
    let terms = terms(
        &OF_BEGIN,
        &RestoreTerms {
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
        },
    )?;
    let grant = begin.grant.map(|grant| grant.statement.to_vec()).unwrap_or_default();
    Ok(Beginning { terms, ring: begin.ring.to_vec(), grant, is_plan: begin.dry_run })
}

/// Proto names of the terms' fields, which depend on the message.
pub(in crate::grpc) struct Names {
    principal: &'static str,
    restore_id: &'static str,
    archive_id: &'static str,
    manifest_sha256: &'static str,
    deployment_id: &'static str,
    mode: &'static str,
    revive_ids: &'static str,
    from_deployment: &'static str,
    chain: &'static str,
    mac: &'static str,
}

/// Names in a message with a `terms` field.
pub(in crate::grpc) const OF_TERMS: Names = Names {
    principal: "terms.principal",
    restore_id: "terms.restore_id",
    archive_id: "terms.archive_id",
    manifest_sha256: "terms.manifest_sha256",
    deployment_id: "terms.deployment_id",
    mode: "terms.mode",
    revive_ids: "terms.revive_ids",
    from_deployment: "terms.from_deployment",
    chain: "terms.audit_head.chain",
    mac: "terms.audit_head.mac",
};

/// Names in the first message of `StageTables`.
const OF_BEGIN: Names = Names {
    principal: "begin",
    restore_id: "begin.stage_id",
    archive_id: "begin.archive.archive_id",
    manifest_sha256: "begin.archive.manifest_sha256",
    deployment_id: "begin.archive.deployment_id",
    mode: "begin.mode",
    revive_ids: "begin.revive_ids",
    from_deployment: "begin.from_deployment",
    chain: "begin.archive.audit_head.chain",
    mac: "begin.archive.audit_head.mac",
};

/// The parsed terms of a grant or a stage.
pub(in crate::grpc) fn terms(names: &Names, given: &RestoreTerms) -> Result<Terms> {
    let refuse = |field, problem: String| Err(Error::Field { field, problem });
    let mode = match given.mode() {
        ProtoMode::IntoEmpty => RestoreMode::IntoEmpty,
        ProtoMode::Merge => RestoreMode::Merge,
        ProtoMode::Replace => RestoreMode::Replace,
        ProtoMode::Unspecified => {
            return refuse(names.mode, "must be INTO_EMPTY, MERGE or REPLACE".into());
        }
    };
    if given.manifest_sha256.len() != 32 {
        return refuse(names.manifest_sha256, "must have 32 bytes".into());
    }
    if given.revive_ids.len() > MAX_REVIVED {
        return refuse(names.revive_ids, format!("has more than {MAX_REVIVED} ids"));
    }
    let ids = fields::each(names.revive_ids, &given.revive_ids, |field, id| fields::id(field, id))?;
    let principal = fields::target(names.principal, &given.principal)?;
    if principal.is_empty() {
        return refuse(names.principal, "must be the service that restores".into());
    }
    Ok(Terms {
        principal,
        restore_id: fields::id(names.restore_id, &given.restore_id)?,
        archive_id: fields::id(names.archive_id, &given.archive_id)?,
        manifest_sha256: hex::encode(&given.manifest_sha256),
        deployment_id: fields::filter(names.deployment_id, &given.deployment_id)?,
        mode,
        revive_ids: ids.into_iter().collect(),
        as_copy: given.as_copy,
        from_deployment: fields::filter(names.from_deployment, &given.from_deployment)?,
        accept_undecryptable: given.accept_undecryptable,
        old_head: given.audit_head.as_ref().map(|head| old_head(names, head)).transpose()?,
    })
}

fn old_head(names: &Names, head: &AuditHead) -> Result<OldHead> {
    Ok(OldHead {
        chain: fields::filter(names.chain, &head.chain)?,
        sequence: head.sequence,
        mac: fields::filter(names.mac, &head.mac)?,
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
