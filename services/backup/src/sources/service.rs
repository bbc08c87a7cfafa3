//! Services that provide their own tables through `strongroom.source.v1`, the vault among them.
//!
//! Each snapshot has a connection of its own, so a temporarily slow reader fills only that connection's window.
//! Received data is checked against the protocol, because the archive repeats it; rows are counted by their line feeds
//! and not parsed.

mod restoring;

use std::time::Duration;

use jiff::Timestamp;
use strongroom_api::limits::{VAULT_AUDIT_GROUP, VAULT_SOURCE};
use strongroom_api::source::v1::read_snapshot_response::{Begun, Message, Rows};
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_api::source::v1::{DescribeSourceRequest, ReadSnapshotRequest, ReadSnapshotResponse, Table};
use strongroom_api::time::timestamp;
use strongroom_archive::manifest::{Snapshot as SnapshotKind, SourceRecord};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{AadTemplate, EncryptedColumn};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_tables::Block;
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};

use super::listing::{Choice, ListedTable, Listing};
use crate::config::SourceConfig;
use crate::error::{Error, Result};
use crate::vault_client::{is_away, vault_error};

/// Maximum time for a description, or for the beginning of a snapshot.
const ANSWER: Duration = Duration::from_secs(15);
/// Maximum silence inside a snapshot.
const SILENCE: Duration = Duration::from_secs(60);
/// A message contains a block or one row, whichever is larger.
const MESSAGE_BYTES: usize = 64 << 20;

/// A service with tables.
#[derive(Clone)]
pub(crate) struct ServiceSource {
    name: String,
    kind: &'static str,
    prefix: Option<String>,
    target: Target,
    bearer: Bearer,
}

impl ServiceSource {
    /// The source of the vault.
    pub(crate) fn vault(target: Target, bearer: Bearer) -> Self {
        Self { name: VAULT_SOURCE.to_owned(), kind: VAULT_SOURCE, prefix: None, target, bearer }
    }

    /// The source of any other service.
    pub(crate) fn configured(config: &SourceConfig, target: Target, bearer: Bearer) -> Self {
        let (name, prefix) = (config.name.clone(), config.table_prefix.clone());
        Self { name, kind: "grpc", prefix, target, bearer }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether it is the vault, which has its own rules for restores.
    pub(crate) fn is_vault(&self) -> bool {
        self.kind == VAULT_SOURCE
    }

    /// Its URL.
    pub(crate) fn address(&self) -> &str {
        &self.target.url
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// The vault's groups. Any other service names its groups itself, table by table.
    pub(super) fn groups(&self) -> Option<Vec<String>> {
        (self.kind == VAULT_SOURCE).then(|| vec![VAULT_AUDIT_GROUP.to_owned()])
    }

    pub(super) async fn list(&self) -> Result<Listing> {
        let mut request = Request::new(DescribeSourceRequest {});
        request.set_timeout(ANSWER);
        let answer = self.client()?.describe_source(request).await.map_err(|status| self.failed(status))?;
        let tables = answer.into_inner().tables.into_iter();
        let listed = |Table { name, group, read_only, .. }| ListedTable { name, group, read_only };
        Ok(Listing { tables: tables.map(listed).collect() })
    }

    pub(super) async fn open(&self, choice: &Choice) -> Result<ServiceSnapshot> {
        let listing = self.list().await?;
        // A service knows only its own groups, and refuses others.
        let mut groups = self.groups().unwrap_or_else(|| listing.groups());
        groups.retain(|group| choice.includes(group));
        let request = ReadSnapshotRequest {
            groups,
            tables: choice.only.clone().unwrap_or_default(),
            since: choice.since.map(|time| timestamp(time.as_microsecond())),
        };
        let mut client = self.client()?;
        let begin = async {
            let mut stream = client.read_snapshot(request).await?.into_inner();
            let first = stream.message().await?;
            Ok::<_, Status>((stream, first))
        };
        let answer = tokio::time::timeout(ANSWER, begin).await.map_err(|_| self.silent(ANSWER))?;
        let (stream, first) = answer.map_err(|status| self.failed(status))?;
        let Some(ReadSnapshotResponse { message: Some(Message::Begun(begun)) }) = first else {
            return Err(self.unexpected("the first message of a snapshot is not `begun`"));
        };
        let mut tables = Vec::with_capacity(begun.tables.len());
        let mut encrypted = Vec::new();
        for table in &begun.tables {
            let schema = self.schema(table)?;
            encrypted.extend(self.encrypted(table, &schema)?);
            tables.push(schema);
        }
        let record = self.record(&begun)?;
        let limited = begun.tables.iter().filter(|table| !table.time_column.is_empty());
        let limited = limited.map(|table| table.name.clone()).collect();
        let since = choice.since.map(|since| (since, limited));
        let kids = begun.kids;
        Ok(ServiceSnapshot { source: self.clone(), stream, record, listing, tables, encrypted, kids, since })
    }

    fn client(&self) -> Result<SourceServiceClient<AuthorizedChannel>> {
        let channel = self.target.authorized(self.bearer.clone())?;
        Ok(SourceServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES))
    }

    /// The archive uses the source's configured name, whatever the service calls itself.
    fn schema(&self, table: &Table) -> Result<TableSchema> {
        let mut schema: TableSchema = serde_json::from_slice(&table.schema_json).map_err(|error| {
            self.unexpected(format!("the schema of table {:?} cannot be understood: {error}", table.name))
        })?;
        if schema.name != table.name {
            return Err(
                self.unexpected(format!("the schema of {:?} describes {:?}", table.name, schema.name))
            );
        }
        schema.source.clone_from(&self.name);
        Ok(schema)
    }

    /// Refuses, with the source's name, columns for which the archive's manifest would be refused.
    fn encrypted(&self, table: &Table, schema: &TableSchema) -> Result<Vec<EncryptedColumn>> {
        let mut encrypted = Vec::with_capacity(table.encrypted_columns.len());
        for column in &table.encrypted_columns {
            let name = format!("the encrypted column {:?} of {:?}", column.name, table.name);
            let template = AadTemplate::parse(&column.aad)
                .map_err(|error| self.unexpected(format!("{name}: {error}")))?;
            let mut needed = std::iter::once(column.name.as_str()).chain(template.columns());
            if needed.any(|needed| !schema.columns.iter().any(|other| other.name == needed)) {
                return Err(self.unexpected(format!("{name} needs a column that the table does not have")));
            }
            if column.key_id.is_empty() {
                return Err(self.unexpected(format!("{name} has no key")));
            }
            encrypted.push(EncryptedColumn {
                table: table.name.clone(),
                column: column.name.clone(),
                key: column.key_id.clone(),
                aad: column.aad.clone(),
            });
        }
        Ok(encrypted)
    }

    fn record(&self, begun: &Begun) -> Result<SourceRecord> {
        let name = serde_json::Value::from(begun.snapshot.as_str());
        let snapshot = match serde_json::from_value::<SnapshotKind>(name) {
            Ok(kind) => kind,
            Err(_) if self.kind == VAULT_SOURCE => SnapshotKind::Vault,
            Err(_) => return Err(self.unexpected(format!("{:?} is not a kind of snapshot", begun.snapshot))),
        };
        Ok(SourceRecord::new(&self.name, self.kind, &begun.engine, snapshot))
    }

    fn failed(&self, status: Status) -> Error {
        if self.kind == VAULT_SOURCE {
            return vault_error(&self.target.url, status);
        }
        let name = self.name.clone();
        if is_away(status.code()) {
            let (url, problem) = (self.target.url.clone(), status.message().to_owned());
            return Error::SourceAway { name, url, problem };
        }
        Error::SourceFailed { name, source: Box::new(status) }
    }

    fn silent(&self, limit: Duration) -> Error {
        self.failed(Status::deadline_exceeded(format!("it sent nothing for {} s", limit.as_secs())))
    }

    fn unexpected(&self, problem: impl Into<String>) -> Error {
        Error::SourceProtocol { name: self.name.clone(), problem: problem.into() }
    }
}

/// An open snapshot of a service: it lives as long as its stream.
pub(crate) struct ServiceSnapshot {
    source: ServiceSource,
    stream: Streaming<ReadSnapshotResponse>,
    record: SourceRecord,
    listing: Listing,
    tables: Vec<TableSchema>,
    encrypted: Vec<EncryptedColumn>,
    kids: Vec<String>,
    /// The requested time, and the tables to which it applies.
    since: Option<(Timestamp, Vec<String>)>,
}

impl ServiceSnapshot {
    pub(super) fn record(&self) -> &SourceRecord {
        &self.record
    }

    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(super) fn tables(&self) -> &[TableSchema] {
        &self.tables
    }

    pub(super) fn encrypted(&self) -> &[EncryptedColumn] {
        &self.encrypted
    }

    pub(super) fn kids(&self) -> &[String] {
        &self.kids
    }

    /// The oldest time of a table's rows, if older ones are left out.
    pub(super) fn since(&self, table: &str) -> Option<Timestamp> {
        let (since, limited) = self.since.as_ref()?;
        limited.iter().any(|name| name == table).then_some(*since)
    }

    /// Tables arrive in the order of [`Self::tables`]; asking for another one fails.
    pub(super) async fn read_table(&mut self, table: &str, blocks: &mpsc::Sender<Block>) -> Result<u64> {
        let mut total = 0;
        loop {
            match self.next().await? {
                Message::Rows(rows) => {
                    let block = self.block(table, rows)?;
                    total += block.rows;
                    if blocks.send(block).await.is_err() {
                        return Err(strongroom_tables::Error::Cancelled.into());
                    }
                }
                Message::TableEnd(end) if end.name == table && u64::try_from(end.rows) == Ok(total) => {
                    return Ok(total);
                }
                Message::TableEnd(end) => {
                    return Err(self.source.unexpected(format!(
                        "{:?} ended with {} rows while {table:?} had {total}",
                        end.name, end.rows
                    )));
                }
                Message::Begun(_) | Message::End(_) => {
                    return Err(self.source.unexpected(format!("table {table:?} has no end")));
                }
            }
        }
    }

    /// A stream without `end` is incomplete, whatever its status.
    pub(super) async fn finish(mut self) -> Result<()> {
        match self.next().await? {
            Message::End(_) => Ok(()),
            _ => Err(self.source.unexpected("there is more after the last table")),
        }
    }

    async fn next(&mut self) -> Result<Message> {
        let message = tokio::time::timeout(SILENCE, self.stream.message());
        let answer = message.await.map_err(|_| self.source.silent(SILENCE))?;
        match answer.map_err(|status| self.source.failed(status))? {
            Some(ReadSnapshotResponse { message: Some(message) }) => Ok(message),
            _ => Err(self.source.unexpected("the snapshot ended before its `end`")),
        }
    }

    /// No line feed occurs inside a row (FORMAT.md §4), so the count can be checked.
    fn block(&self, table: &str, rows: Rows) -> Result<Block> {
        let lines = rows.json.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        if rows.json.is_empty() || u64::try_from(rows.count) != Ok(lines) {
            return Err(self.source.unexpected(format!(
                "a block of table {table:?} has {lines} lines, but {} rows are stated",
                rows.count
            )));
        }
        Ok(Block { bytes: rows.json, rows: lines })
    }
}
