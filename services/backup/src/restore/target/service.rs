//! A service being restored through `strongroom.source.v1`: it stages, commits and undoes by itself.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use strongroom_api::limits::RING_BYTES;
use strongroom_api::source::v1 as source_api;
use strongroom_api::source::v1::stage::State;
use strongroom_api::source::v1::stage_tables_request::{Begin, Message, Rows, TableEnd};
use strongroom_api::source::v1::{ArchiveIdentity, AuditHead, RestoreGrant, Stage, Table};
use strongroom_api::time::timestamp;
use strongroom_archive::manifest::AuditHead as ManifestHead;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{Watch, verify_entry};
use strongroom_tables::load::WantedTable;
use tokio::sync::mpsc;

use super::{Changed, Compared, Marker, Place};
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Archive;
use crate::restore::loading::{Shared, to_archive};
use crate::restore::record::{Request, RequestMode};
use crate::restore::report;
use crate::restore::resealing::{Resealed, Resealing, TableResealing};
use crate::restore::rows::ChosenRows;
use crate::restore::selection::Selected;
use crate::sources::ServiceSource;
use strongroom_runtime::failpoint;

/// Number of messages that can wait for the service.
const MESSAGES: usize = 4;
/// Maximum number of bytes of rows in a message. The protocol allows 3 MiB.
const PART: usize = 512 << 10;

type What<'a> = (&'a Selected, &'a [WantedTable], &'a Request);

/// The service counts the changes that a commit would make; it is asked only about tables that it has.
pub(super) async fn compare(
    source: &ServiceSource,
    archive: Archive,
    what: What<'_>,
    progress: &Shared,
) -> Result<Compared> {
    let (selected, wanted, request) = what;
    let described = source.described().await?;
    let mut refusals = Vec::new();
    for table in wanted.iter().filter(|table| is_taken(table, &described)) {
        if let Some(refusal) = refused(selected, table, &described, request.mode) {
            refusals.push(refusal);
        }
    }
    let mut stage = Stage::default();
    if refusals.is_empty() {
        let trial = uuid::Uuid::now_v7().to_string();
        match send(source, archive, (what, None), &described, (&trial, true, progress)).await {
            Ok(found) => stage = found,
            Err(
                error @ Error::Restore(RestoreError::SourceRefused { .. } | RestoreError::RowsMissing { .. }),
            ) => {
                refusals.push(report::refusal(selected.source(), &error));
            }
            Err(error) => return Err(error),
        }
    }
    let taken: Vec<&WantedTable> = wanted.iter().filter(|table| is_taken(table, &described)).collect();
    // A table without a group only repeats data of others.
    let is_own = |table: &&WantedTable| {
        described
            .iter()
            .any(|other| other.name == own_name(table) && other.read_only && !other.group.is_empty())
    };
    let own: Vec<&str> = wanted.iter().filter(is_own).map(own_name).collect();
    let plan = report::service(&selected.record, &taken, &stage, &own);
    let fingerprint = fingerprint(wanted, &described);
    Ok(Compared { plan, refusals, fingerprint, place: Place::Service(source.address().to_owned()) })
}

pub(super) async fn stage(
    source: &ServiceSource,
    archive: Archive,
    (what, resealing): (What<'_>, Option<&Arc<Resealing>>),
    (id, planned, progress): (&str, &str, &Shared),
) -> Result<()> {
    let (selected, wanted, _) = what;
    let described = source.described().await?;
    if fingerprint(wanted, &described) != planned {
        return Err(RestoreError::SourceStale(selected.source().to_owned()).into());
    }
    failpoint::reached("restore.stage_begun");
    send(source, archive, (what, resealing), &described, (id, false, progress)).await?;
    failpoint::reached("restore.loaded");
    Ok(())
}

pub(super) async fn swap(source: &ServiceSource, id: &str) -> Result<Changed> {
    let mut changed = Changed::default();
    for table in source.commit_stage(id).await?.stage.unwrap_or_default().tables {
        changed.created = changed.created.saturating_add(table.created.unsigned_abs());
        changed.changed = changed.changed.saturating_add(table.changed.unsigned_abs());
        changed.deleted = changed.deleted.saturating_add(table.deleted.unsigned_abs());
    }
    Ok(changed)
}

pub(super) async fn marker(source: &ServiceSource, id: &str) -> Result<Option<Marker>> {
    Ok(match source.stage_state(id).await? {
        Some(State::Staged) => Some(Marker::Staged),
        Some(State::Committed) => Some(Marker::Applied),
        Some(State::RolledBack | State::Unspecified) | None => None,
    })
}

pub(super) async fn discard(
    source: &ServiceSource,
    (id, request): (&str, &Request),
    only: Marker,
) -> Result<bool> {
    if marker(source, id).await?.is_some_and(|found| found != only) {
        return Ok(false);
    }
    source.abort_stage(id, grant(source, request), only == Marker::Staged).await
}

/// Also drops the remains of the rolled-back stage, so that nothing of the restore remains.
pub(super) async fn roll_back(
    source: &ServiceSource,
    (id, request): (&str, &Request),
    discard_changes: bool,
) -> Result<u64> {
    let stage = source.roll_back_stage(id, grant(source, request), discard_changes).await?;
    source.abort_stage(id, grant(source, request), false).await?;
    let counts = stage.tables.iter().flat_map(|table| [table.created, table.changed, table.deleted]);
    Ok(counts.fold(0, |sum: u64, count| sum.saturating_add(count.unsigned_abs())))
}

/// The service's own name of its table: archives may use another one.
fn own_name(table: &WantedTable) -> &str {
    &table.schema.table
}

fn refused(
    selected: &Selected,
    table: &WantedTable,
    described: &[Table],
    mode: RequestMode,
) -> Option<strongroom_api::backup::v1::RestoreRefusal> {
    let name = own_name(table);
    let message = match described.iter().find(|other| other.name == name) {
        None => ("TABLE_MISSING", format!("the service has no table {name:?}; leave it out with --tables")),
        Some(_) if table.is_partial && mode == RequestMode::Replace => (
            "PARTIAL_TABLE",
            format!(
                "only some rows of {name:?} would be restored, those since a time or those chosen: use --mode merge for it"
            ),
        ),
        Some(found) => {
            let columns = missing_columns(&table.schema, found)?;
            ("COLUMN_MISSING", format!("table {name:?} of the service has no column {columns}"))
        }
    };
    let (reason, message) = message;
    Some(report::refused(selected.source(), &table.schema.name, reason, message))
}

/// `None` if the service's table has all of the archive's columns.
fn missing_columns(schema: &TableSchema, found: &Table) -> Option<String> {
    let live: Result<TableSchema, _> = serde_json::from_slice(&found.schema_json);
    let live = live.map(|live| live.columns).unwrap_or_default();
    let is_missing = |name: &String| !live.iter().any(|column| column.name == *name);
    let missing = schema.columns.iter().map(|column| &column.name).filter(|name| is_missing(name));
    let missing: Vec<String> = missing.map(|name| format!("{name:?}")).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// A digest of the schemas of the wanted tables, as described by the service.
fn fingerprint(wanted: &[WantedTable], described: &[Table]) -> String {
    let described: HashMap<&str, &Table> =
        described.iter().map(|table| (table.name.as_str(), table)).collect();
    let mut digest = Sha256::new();
    for table in wanted {
        let shape = described.get(own_name(table)).map(|found| found.schema_json.as_ref());
        for part in [own_name(table).as_bytes(), shape.unwrap_or_default()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    hex::encode(digest.finalize())
}

/// Whether the service accepts rows of the table.
fn is_taken(table: &WantedTable, described: &[Table]) -> bool {
    !described.iter().any(|other| other.name == own_name(table) && other.read_only)
}

/// Sends every table that the service accepts. A table counts only after its entry was read to its end and its digest
/// matches: only then is its end sent.
async fn send(
    source: &ServiceSource,
    mut archive: Archive,
    ((selected, wanted, request), resealing): (What<'_>, Option<&Arc<Resealing>>),
    described: &[Table],
    (id, is_trial, progress): (&str, bool, &Shared),
) -> Result<Stage> {
    let (messages, queue) = mpsc::channel(MESSAGES);
    let begin = Begin {
        stage_id: id.to_owned(),
        mode: mode(request.mode).into(),
        archive: Some(identity(selected, request, &archive)),
        dry_run: is_trial,
        ..Begin::default()
    };
    let begin = if source.is_vault() { of_vault(begin, &mut archive, request)? } else { begin };
    let parts = wanted.iter().zip(&selected.entries).zip(&selected.rows);
    let parts = parts.filter(|((table, _), _)| is_taken(table, described));
    let parts = parts.map(|((table, entry), chosen)| {
        // The vault seals its own values again.
        let resealing = resealing.filter(|_| !source.is_vault());
        let resealing = resealing.map(|all| all.of_table(&table.schema.name)).transpose()?.flatten();
        let (entry, chosen) = (*entry, chosen.clone());
        Ok(Part { table: message(table)?, entry, rows: table.rows, chosen, resealing })
    });
    let parts: Vec<Part> = parts.collect::<Result<_>>()?;
    let feed = Feed { messages, progress: Arc::clone(progress), text: Vec::with_capacity(PART) };
    let reading = tokio::task::spawn_blocking(move || feed.all(archive, begin, parts));
    let (read, staged) = tokio::join!(reading, source.stage(queue));
    match (read?.map_err(Error::from), staged) {
        // If the service stopped taking messages, its own error has the reason, or it is unavailable.
        (Err(Error::ClientLeft), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
        (Ok(()), staged) => staged,
    }
}

/// Only the vault requires a grant, and no other service should see it.
fn grant(source: &ServiceSource, request: &Request) -> Option<RestoreGrant> {
    source.is_vault().then(|| RestoreGrant { statement: request.grant_statement() })
}

/// Data for the vault in addition to the rows.
fn of_vault(begin: Begin, archive: &mut Archive, request: &Request) -> Result<Begin> {
    let ring = archive.ring(RING_BYTES as u64)?.unwrap_or_default();
    Ok(Begin {
        ring: ring.into(),
        grant: Some(RestoreGrant { statement: request.grant_statement() }),
        revive_ids: request.revive_ids.clone(),
        as_copy: request.as_copy,
        from_deployment: request.from_deployment.clone(),
        accept_undecryptable: request.accept_undecryptable,
        ..begin
    })
}

fn message(table: &WantedTable) -> Result<Table> {
    let schema = serde_json::to_vec(&table.schema)
        .map_err(|error| Error::Defect(format!("a schema cannot be written: {error}")))?;
    Ok(Table { name: own_name(table).to_owned(), schema_json: schema.into(), ..Table::default() })
}

fn identity(selected: &Selected, request: &Request, archive: &Archive) -> ArchiveIdentity {
    let facts = &request.archive;
    ArchiveIdentity {
        archive_id: facts.id.clone(),
        manifest_sha256: Sha256::digest(archive.manifest_json()).to_vec().into(),
        create_time: facts.time.map(|time| timestamp(time.as_microsecond())),
        deployment_id: facts.deployment_id.clone(),
        source: selected.source().to_owned(),
        audit_head: facts.audit_head.as_ref().map(audit_head),
    }
}

pub(in crate::restore) fn audit_head(head: &ManifestHead) -> AuditHead {
    AuditHead {
        chain: head.chain.clone(),
        sequence: i64::try_from(head.sequence).unwrap_or(i64::MAX),
        mac: head.mac.clone(),
    }
}

pub(in crate::restore) fn mode(mode: RequestMode) -> source_api::RestoreMode {
    match mode {
        RequestMode::IntoEmpty => source_api::RestoreMode::IntoEmpty,
        RequestMode::Merge => source_api::RestoreMode::Merge,
        RequestMode::Replace => source_api::RestoreMode::Replace,
    }
}

/// A table to send.
struct Part {
    table: Table,
    entry: usize,
    rows: u64,
    chosen: Option<ChosenRows>,
    resealing: Option<TableResealing>,
}

/// Converts rows into messages.
struct Feed {
    messages: mpsc::Sender<Message>,
    progress: Shared,
    text: Vec<u8>,
}

impl Feed {
    fn all(mut self, mut archive: Archive, begin: Begin, parts: Vec<Part>) -> strongroom_archive::Result<()> {
        self.send(Message::Begin(begin))?;
        for Part { table, entry, rows, chosen, resealing } in parts {
            self.send(Message::Table(table))?;
            let mut reading = Reading { feed: &mut self, chosen, is_first: true };
            let mut resealed = Resealed { resealing, inner: &mut reading };
            verify_entry(&mut archive, entry, &mut resealed)?;
            resealed.finish()?;
            reading.chosen.as_ref().map_or(Ok(()), ChosenRows::check).map_err(to_archive)?;
            self.flush()?;
            let rows = i64::try_from(rows).unwrap_or(i64::MAX);
            self.send(Message::TableEnd(TableEnd { rows }))?;
        }
        Ok(())
    }

    fn send(&self, message: Message) -> strongroom_archive::Result<()> {
        // The service has ended the call; it reports its own error.
        self.messages.blocking_send(message).map_err(|_| to_archive(Error::ClientLeft))
    }

    fn add(&mut self, mut bytes: &[u8]) -> strongroom_archive::Result<()> {
        while self.text.len() + bytes.len() >= PART {
            let (fits, rest) = bytes.split_at(PART - self.text.len());
            self.text.extend_from_slice(fits);
            self.flush()?;
            bytes = rest;
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> strongroom_archive::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let json = Bytes::from(std::mem::replace(&mut self.text, Vec::with_capacity(PART)));
        self.send(Message::Rows(Rows { json }))
    }
}

/// A table being read.
struct Reading<'a> {
    feed: &'a mut Feed,
    /// Only these rows, if any were chosen.
    chosen: Option<ChosenRows>,
    is_first: bool,
}

impl Watch for Reading<'_> {
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        if self.chosen.as_mut().is_some_and(|chosen| !chosen.has(values)) {
            return Ok(());
        }
        if !std::mem::take(&mut self.is_first) {
            self.feed.add(b",\n")?;
        }
        let names = schema.columns.iter().map(|column| column.name.as_str());
        for (at, (name, value)) in names.zip(values).enumerate() {
            self.feed.add(if at == 0 { b"{" } else { b"," })?;
            let name = serde_json::Value::from(name).to_string();
            self.feed.add(name.as_bytes())?;
            self.feed.add(b":")?;
            self.feed.add(value.get().as_bytes())?;
        }
        self.feed.add(b"}")?;
        let mut progress = self.feed.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.rows = progress.rows.saturating_add(1);
        if progress.table != schema.name {
            schema.name.clone_into(&mut progress.table);
        }
        Ok(())
    }

    fn progress(&mut self, _bytes: u64) -> strongroom_archive::Result<()> {
        Ok(())
    }
}
