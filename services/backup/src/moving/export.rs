//! Exports tables: reads them in one snapshot of each database, and sends them while they are read.

mod stream;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use strongroom_api::backup::v1::ExportTablesResponse;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::document::document_file_name;
use strongroom_runtime::telemetry::{stage, stage_of};
use tracing::Instrument as _;

use super::Base;
use crate::error::{Error, Result};
use crate::operation::{Ended, Metadata, Outlet, put};
use crate::sources::{Choice, OpenSource, Survey};
use stream::Document;

/// Maximum number of tables that an event names.
const MOST_NAMED: usize = 100;

/// One export.
pub(super) struct Exporting {
    base: Base,
    pub(super) id: String,
    pub(super) file_name: String,
    time: Timestamp,
    reads: Vec<Read>,
}

/// The tables to read from one database.
struct Read {
    /// The index of its source.
    at: usize,
    choice: Choice,
    /// The tables' own names, each with its name in archives.
    names: Vec<(String, String)>,
}

impl Exporting {
    /// Finds the tables.
    ///
    /// # Errors
    /// [`Error::Field`]; if a table is not found, the error of a source that was never read.
    pub(super) async fn prepare(base: &Base, tables: &[String]) -> Result<Self> {
        let mut survey = base.sources.survey().await;
        let reads = match choose(&survey, tables) {
            Ok(reads) => reads,
            // A missing table may be in a source that was never read.
            Err(refused) => return Err(survey.take_unknown().unwrap_or(refused)),
        };
        let time = Timestamp::from_microsecond(base.clock.now_micros())
            .map_err(|error| Error::Defect(format!("the clock is out of range: {error}")))?;
        let id = uuid::Uuid::now_v7().to_string();
        let file_name = document_file_name(&base.app.name, time);
        Ok(Self { base: base.clone(), id, file_name, time, reads })
    }

    /// Metadata of its events.
    pub(super) fn describe(&self) -> Metadata {
        let mut metadata = Metadata::new();
        let names = self.reads.iter().flat_map(|read| &read.names).map(|(_, name)| name.clone());
        put(&mut metadata, "tables", names.take(MOST_NAMED).collect::<Vec<_>>());
        let sources = self.reads.iter().map(|read| self.base.sources.all()[read.at].name().to_owned());
        put(&mut metadata, "sources", sources.collect::<Vec<_>>());
        metadata
    }

    /// Sends the document; its trailer is in the return value.
    pub(super) async fn send(
        self,
        outlet: Outlet<ExportTablesResponse>,
    ) -> Result<Ended<ExportTablesResponse>> {
        let opened = try_join_all(self.reads.iter().map(|read| self.open(read)));
        let opened = opened.instrument(stage("open sources")).await?;
        let mut document = Document::begin(&self, outlet.clone()).await?;
        for (read, open) in self.reads.iter().zip(opened) {
            let span = stage_of("read source", self.base.sources.all()[read.at].name());
            copy(read, open, &mut document).instrument(span).await?;
        }
        let sent = document.finish().await?;
        outlet.taken().instrument(stage("wait for client")).await?;
        let mut metadata = Metadata::new();
        put(&mut metadata, "bytes", sent.size.bytes);
        put(&mut metadata, "rows", sent.size.rows);
        put(&mut metadata, "sha256", sent.sha256.as_str());
        Ok(Ended { outcome: AuditOutcome::Success, metadata, size: sent.size, replies: vec![sent.trailer] })
    }

    async fn open(&self, read: &Read) -> Result<OpenSource> {
        self.base.sources.all()[read.at].open(&read.choice).await
    }
}

/// Sends all selected tables of one database, and ends its snapshot.
async fn copy(read: &Read, mut open: OpenSource, document: &mut Document) -> Result<()> {
    for mut schema in open.tables().to_vec() {
        let name = read.names.iter().find(|(own, _)| *own == schema.name).map(|(_, name)| name.clone());
        let name = name.ok_or_else(|| Error::Defect(format!("table {:?} was not chosen", schema.name)))?;
        let own = std::mem::replace(&mut schema.name, name);
        document.table(&schema, &own, &mut open).await?;
    }
    open.finish().await
}

/// The databases that have the tables. A table of an optional group can be selected by name alone.
fn choose(survey: &Survey, tables: &[String]) -> Result<Vec<Read>> {
    if tables.is_empty() {
        return Err(Error::field("tables", "must name at least one table"));
    }
    let mut reads: Vec<Read> = Vec::new();
    for (position, name) in tables.iter().enumerate() {
        let refuse = |problem: String| Error::element("tables", position, problem);
        let found = survey.find(name).ok_or_else(|| refuse(format!("no source has a table {name:?}")))?;
        let source = &survey.sources[found.at];
        if !matches!(source.kind, "sqlite" | "postgres") {
            let (owner, kind) = (&source.source, source.kind);
            let problem = format!(
                "table {name:?} is of source {owner} ({kind}), and only tables of databases can be imported \
                 again; a backup contains it"
            );
            return Err(refuse(problem));
        }
        let at = reads.iter().position(|read| read.at == found.at).unwrap_or_else(|| {
            reads.push(Read { at: found.at, choice: Choice::default(), names: Vec::new() });
            reads.len() - 1
        });
        let Read { choice, names, .. } = &mut reads[at];
        if names.iter().any(|(own, _)| *own == found.table.name) {
            continue;
        }
        choice.only.get_or_insert_default().push(found.table.name.clone());
        choice.groups.extend((!found.table.group.is_empty()).then(|| found.table.group.clone()));
        names.push((found.table.name.clone(), name.clone()));
    }
    reads.sort_by_key(|read| read.at);
    Ok(reads)
}
