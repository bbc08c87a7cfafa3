//! `SourceService`: the vault's own tables, for the backup service. `restoring` restores them.

mod restoring;

pub(super) use restoring::{OF_TERMS, terms};

use std::sync::Arc;

use strongroom_api::source::v1::read_snapshot_response::{Begun, End, Message, Rows, TableEnd};
use strongroom_api::source::v1::source_service_server::SourceService;
use strongroom_api::source::v1::{
    AbortStageRequest, AbortStageResponse, CommitStageRequest, CommitStageResponse, DescribeSourceRequest,
    DescribeSourceResponse, EncryptedColumn, GetStageRequest, GetStageResponse, ReadSnapshotRequest,
    ReadSnapshotResponse, RollbackStageRequest, RollbackStageResponse, StageTablesRequest,
    StageTablesResponse, Table,
};
use strongroom_runtime::Caller;
use strongroom_runtime::stream_limits::{LimitedStream, StreamLimits, limited};
use strongroom_runtime::telemetry::inherited;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::convert::micros;
use super::{Answer, Api, fields};

use crate::error::{DOMAIN, Error, Result};
use crate::source::{DescribedTable, SnapshotPart, SourceTable, TABLES, is_restored};
use crate::store::columns::SEALED;

#[async_trait]
impl SourceService for Api {
    type ReadSnapshotStream = LimitedStream<ReadSnapshotResponse>;

    async fn describe_source(&self, _: Request<DescribeSourceRequest>) -> Answer<DescribeSourceResponse> {
        let tables = self.0.source.describe().await?;
        let tables = tables.into_iter().map(table).collect::<Result<_>>()?;
        Ok(Response::new(DescribeSourceResponse { tables }))
    }

    async fn read_snapshot(&self, request: Request<ReadSnapshotRequest>) -> Answer<Self::ReadSnapshotStream> {
        let request = request.into_inner();
        // The vault's tables have no time column, so the value selects nothing; it is only parsed to refuse an invalid
        // time.
        micros("since", request.since.as_ref())?;
        let parts = self.0.source.read(selected(&request.groups, &request.tables)?).await?;
        let messages = parts.map(|part| part.and_then(message).map_err(Status::from));
        // Limited because an open snapshot prevents the database from cleaning up, and the WAL grows with every write.
        Ok(Response::new(limited(messages, StreamLimits::default(), DOMAIN)))
    }

    async fn stage_tables(
        &self,
        request: Request<Streaming<StageTablesRequest>>,
    ) -> Answer<StageTablesResponse> {
        let (vault, caller) = (Arc::clone(&self.0), Caller::of(&request)?);
        // Runs in its own task, which continues after the client has left: it must still drop the staged rows.
        let staging =
            inherited(async move { restoring::stage(&vault.restoring, &caller, request.into_inner()).await });
        let stage = tokio::spawn(staging).await.map_err(Error::from)??;
        Ok(Response::new(StageTablesResponse { stage: Some(stage.into()) }))
    }

    async fn get_stage(&self, request: Request<GetStageRequest>) -> Answer<GetStageResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("stage_id", &request.into_inner().stage_id)?;
        let stage = self.0.restoring.get(&caller, &id).await?;
        Ok(Response::new(GetStageResponse { stage: Some(stage.into()) }))
    }

    async fn commit_stage(&self, request: Request<CommitStageRequest>) -> Answer<CommitStageResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("stage_id", &request.into_inner().stage_id)?;
        let stage = self.0.restoring.commit(&caller, &id).await?;
        let (stale_token_ids, stale_tokens) = (stage.report.stale_tokens.clone(), stage.report.stale_total);
        Ok(Response::new(CommitStageResponse { stage: Some(stage.into()), stale_token_ids, stale_tokens }))
    }

    async fn rollback_stage(&self, request: Request<RollbackStageRequest>) -> Answer<RollbackStageResponse> {
        let caller = Caller::of(&request)?;
        let RollbackStageRequest { stage_id, discard_changes, grant } = request.into_inner();
        let id = fields::id("stage_id", &stage_id)?;
        let grant = grant.unwrap_or_default().statement;
        let stage = self.0.restoring.roll_back(&caller, &id, &grant, discard_changes).await?;
        Ok(Response::new(RollbackStageResponse { stage: Some(stage.into()) }))
    }

    async fn abort_stage(&self, request: Request<AbortStageRequest>) -> Answer<AbortStageResponse> {
        let caller = Caller::of(&request)?;
        let AbortStageRequest { stage_id, only_staged, grant } = request.into_inner();
        let id = fields::id("stage_id", &stage_id)?;
        let grant = grant.unwrap_or_default().statement;
        self.0.restoring.abort(&caller, &id, &grant, only_staged).await?;
        Ok(Response::new(AbortStageResponse {}))
    }
}

/// The tables that the request names, in reading order.
fn selected(groups: &[String], tables: &[String]) -> Result<Vec<&'static SourceTable>> {
    fields::each("groups", groups, |field, group| match TABLES.iter().any(|table| table.group == group) {
        true if !group.is_empty() => Ok(()),
        _ => Err(Error::Field { field, problem: "names no group of the vault".into() }),
    })?;
    let included =
        |table: &&SourceTable| table.group.is_empty() || groups.iter().any(|group| group == table.group);
    fields::each("tables", tables, |field, name| {
        let refuse = |problem: String| Err(Error::Field { field, problem });
        match TABLES.iter().find(|table| table.name == name) {
            None => refuse("names no table of the vault".into()),
            // Leaving it out silently would make an incomplete backup that looks complete.
            Some(table) if !included(&table) => {
                refuse(format!("belongs to the group {:?}; include that group too", table.group))
            }
            Some(_) => Ok(()),
        }
    })?;
    let chosen = |table: &&SourceTable| tables.is_empty() || tables.iter().any(|name| name == table.name);
    Ok(TABLES.iter().filter(included).filter(chosen).collect())
}

fn table(described: DescribedTable) -> Result<Table> {
    let DescribedTable { table, schema } = described;
    let schema_json = serde_json::to_vec(&schema).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(Table {
        name: table.name.into(),
        schema_json: schema_json.into(),
        group: table.group.into(),
        time_column: String::new(),
        read_only: !is_restored(table.name),
        encrypted_columns: table
            .encrypted_columns
            .iter()
            .map(|column| encrypted_column(table.name, column))
            .collect(),
    })
}

/// The key and additional data for the column in `CheckDecryptable`.
fn encrypted_column(table: &str, column: &str) -> EncryptedColumn {
    let known = SEALED.iter().find(|sealed| sealed.table == table && sealed.column == column);
    let (key_id, aad) = known.map(|sealed| (sealed.key_id, format!("{{{}}}", sealed.id))).unwrap_or_default();
    EncryptedColumn { name: column.into(), key_id: key_id.into(), aad }
}

fn message(part: SnapshotPart) -> Result<ReadSnapshotResponse> {
    let message = match part {
        SnapshotPart::Begun { tables, engine, kind, kids } => {
            let tables = tables.into_iter().map(table).collect::<Result<_>>()?;
            Message::Begun(Begun { tables, engine, snapshot: kind.into(), kids })
        }
        SnapshotPart::Rows(block) => Message::Rows(Rows { json: block.bytes, count: signed(block.rows) }),
        SnapshotPart::TableEnd { name, rows } => {
            Message::TableEnd(TableEnd { name: name.into(), rows: signed(rows) })
        }
        SnapshotPart::End => Message::End(End {}),
    };
    Ok(ReadSnapshotResponse { message: Some(message) })
}

fn signed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
