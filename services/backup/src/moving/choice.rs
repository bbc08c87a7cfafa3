//! Chooses the database for the rows of a document: the one that has tables of these names.

use strongroom_archive::document::{Outline, OutlinedTable};
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::TableSchema;
use strongroom_tables::load::{Mode, Wanted, WantedTable};

use super::contents::Contents;
use super::error::MoveError;
use super::gatwy;
use super::loading::Rows;
use crate::error::{Error, Result};
use crate::incoming::shown;
use crate::sources::{Sources, SqlSource, Survey};

/// The chosen database, with the wanted tables and the rows.
pub(super) struct Chosen {
    /// The index of its source.
    pub(super) at: usize,
    pub(super) wanted: Wanted,
    pub(super) rows: Rows,
}

/// A table of a configured database.
pub(super) struct LiveTable {
    /// Its name in archives.
    pub(super) name: String,
    pub(super) schema: TableSchema,
}

/// Finds the database.
///
/// # Errors
/// [`MoveError::UnknownTable`], [`MoveError::NoTable`], [`MoveError::NoDatabase`], [`MoveError::Several`], errors of
/// Gatwy's entries, and the error of a source that cannot be read.
pub(super) async fn choose(sources: &Sources, contents: Contents) -> Result<Chosen> {
    let mut survey = sources.survey().await;
    let names = match &contents {
        Contents::Tables(outline) => {
            Ok(outline.tables.iter().map(|table| table.schema.name.clone()).collect())
        }
        Contents::Connections(connections) => gatwy::names(connections, |name| survey.find(name).is_some()),
    };
    let found = names.and_then(|names: Vec<String>| Ok((locate(&survey, &names)?, names)));
    let ((at, own), names) = match found {
        Ok(found) => found,
        // A missing table may be in a source that was never read.
        Err(refused) => return Err(survey.take_unknown().unwrap_or(refused)),
    };
    let database = database(sources, at)?;
    let schemas = database.schemas().await?;
    let mut live = Vec::with_capacity(names.len());
    for (name, own) in names.into_iter().zip(own) {
        let schema = schemas.iter().find(|schema| schema.name == own).cloned();
        let schema = schema.ok_or_else(|| MoveError::UnknownTable(shown(&name)))?;
        live.push(LiveTable { name, schema });
    }
    let (tables, rows) = match contents {
        Contents::Tables(outline) => (adapted(&outline, &live), Rows::Document(outline)),
        Contents::Connections(connections) => gatwy::rows(&connections, &live)?,
    };
    let source = &sources.all()[at];
    Ok(Chosen { at, wanted: wanted(source.name(), source.kind(), tables), rows })
}

/// The database of the source at this index.
///
/// # Errors
/// [`Error::Defect`] for a source that is not a database.
pub(super) fn database(sources: &Sources, at: usize) -> Result<&SqlSource> {
    let source = sources.all().get(at).and_then(|source| source.database());
    source.ok_or_else(|| Error::Defect("a source is not a database".into()))
}

/// The only source that has all of them, and their own names there.
fn locate(survey: &Survey, names: &[String]) -> Result<(usize, Vec<String>)> {
    let mut places: Vec<(usize, &str)> = Vec::new();
    let mut own = Vec::with_capacity(names.len());
    for name in names {
        let found = survey.find(name).ok_or_else(|| MoveError::UnknownTable(shown(name)))?;
        let source = &survey.sources[found.at];
        if !matches!(source.kind, "sqlite" | "postgres") {
            let (table, source_name, kind) = (name.clone(), source.source.clone(), source.kind);
            return Err(MoveError::NoDatabase { table, source_name, kind }.into());
        }
        if !places.iter().any(|(at, _)| *at == found.at) {
            places.push((found.at, name));
        }
        own.push(found.table.name.clone());
    }
    match places.as_slice() {
        [(at, _)] => Ok((*at, own)),
        several => {
            let named =
                several.iter().map(|(at, name)| format!("{name:?} of {}", survey.sources[*at].source));
            Err(MoveError::Several(named.collect::<Vec<_>>().join(", ")).into())
        }
    }
}

/// The document's tables, each with the name and namespace of the live table that was found for it, whatever the
/// document says.
fn adapted(outline: &Outline, live: &[LiveTable]) -> Vec<WantedTable> {
    let adapt = |(table, live): (&OutlinedTable, &LiveTable)| {
        let mut schema = table.schema.clone();
        schema.table.clone_from(&live.schema.table);
        schema.namespace.clone_from(&live.schema.namespace);
        WantedTable { schema, rows: table.rows, is_partial: true }
    };
    outline.tables.iter().zip(live).map(adapt).collect()
}

/// A merge. Adding rows makes readers of a database without WAL wait for a moment; the answer reports it.
fn wanted(source: &str, kind: &str, tables: Vec<WantedTable>) -> Wanted {
    Wanted {
        mode: Mode::Merge,
        tables,
        record: SourceRecord::new(source, kind, "", Snapshot::ReadTransaction),
        views: None,
        large_objects: Vec::new(),
        create_tables: false,
        accept_cascade: false,
        accept_pause: true,
    }
}
