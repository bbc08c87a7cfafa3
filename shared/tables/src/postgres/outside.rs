//! The parts of the database that are outside its tables' rows.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::{Extension, Migrations};
use strongroom_archive::schema::{DatabaseSchema, Engine, TableSchema};

use super::naming::qualified;
use super::probe::Probe;
use super::{large_objects, sequences, views};
use crate::error::{Error, Result};
use crate::migrations;
use crate::options::{Skipped, SnapshotOptions};
use crate::outside::Outside;

/// Reads these parts; unreadable ones are reported in `skipped`.
pub(super) async fn read(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
    probe: Probe,
    skipped: &mut Vec<Skipped>,
) -> Result<Outside> {
    let source = &options.source;
    let failed = |what: &'static str| move |error| Error::database(source, what, &error);
    let sequences = sequences::list(connection, options, tables, skipped).await;
    let mut large_objects = Vec::new();
    if options.is_complete() && probe.has_large_objects {
        large_objects =
            large_objects::list(connection, skipped).await.map_err(failed("listing the large objects"))?;
    }
    let mut views = Vec::new();
    if probe.has_views {
        views = views::list(connection, options, skipped).await.map_err(failed("reading the views"))?;
    }
    Ok(Outside {
        encoding: probe.encoding,
        extensions: probe.extensions.iter().filter_map(|named| extension(named)).collect(),
        sequences: sequences.map_err(failed("reading the sequences"))?,
        user_version: None,
        application_id: None,
        migrations: migrations(connection, options, tables).await?,
        schema: DatabaseSchema {
            source: source.clone(),
            engine: Engine::Postgres,
            views,
            notes: Default::default(),
        },
        large_objects,
    })
}

fn extension(named: &str) -> Option<Extension> {
    let (name, version) = named.rsplit_once(' ')?;
    Some(Extension { name: name.to_owned(), version: version.to_owned() })
}

async fn migrations(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
) -> Result<Option<Migrations>> {
    let Some((table, column)) = migrations::find(options, tables)? else { return Ok(None) };
    let sql = migrations::statement(&qualified(&table.namespace, &table.table), column);
    let ids = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await;
    let ids = ids.map_err(|error| Error::database(&options.source, "reading the migrations", &error))?;
    Ok(Some(migrations::record(table, column, ids)))
}
