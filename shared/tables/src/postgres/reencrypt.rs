//! Replaces sealed values in a PostgreSQL database.
//!
//! A batch first locks those of its rows that no other session holds (`SKIP LOCKED`) and then changes them, in one statement:
//! it never waits for a row while it holds others, so it cannot be part of a deadlock. READ COMMITTED makes it see the
//! current version of a row that was just changed. The application's triggers run under the role's usual search path; names
//! in our own statements are schema-qualified.

mod column;

use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::value::RawValue;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row, ValueRef};
use strongroom_store::DatabaseUrl;

use super::binary::json_value;
use super::introspect::{self, Found};
use super::load::session;
use super::{codes, relations};
use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::options::SnapshotOptions;
use crate::reencrypt::{Change, FoundValue, KeyPart, Page, RowKey, SealedColumn, Walk, check};
use column::Column;

/// Maximum wait of a statement for a table that another session is altering.
const LOCK: Duration = Duration::from_secs(5);

/// Disables plans that read the whole table: they would only be as good for the first of many batches.
const SETTINGS: &str = "SET LOCAL search_path TO DEFAULT;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off;";

/// A connection as the owner of the tables.
pub(crate) struct PostgresRewriter {
    connection: PgConnection,
    source: String,
    columns: Vec<Column>,
}

impl PostgresRewriter {
    pub(crate) async fn open(
        url: &DatabaseUrl,
        connect_to: &PgConnectOptions,
        options: &SnapshotOptions,
        columns: &[SealedColumn],
    ) -> Result<Self> {
        let source = &options.source;
        let mut connection = super::connect(url, connect_to, source).await?;
        super::begin(&mut connection, source).await?;
        let relations = relations::list(&mut connection, options).await?;
        let probe = super::probe(&mut connection, source).await?;
        let found = introspect::tables(&mut connection, options, &relations.selected, &probe).await?;
        let Found { tables, layouts } = found;
        let mut described = Vec::with_capacity(columns.len());
        for column in columns {
            let at = check(&tables, column, source)?;
            let (table, layout) = (&tables[at], &layouts[at]);
            column::check_key(&mut connection, table, layout).await?;
            described.push(Column::of(&relations.selected[at], table, layout, column));
        }
        super::end(&mut connection, source).await?;
        Ok(Self { connection, source: source.clone(), columns: described })
    }

    pub(crate) async fn page(&mut self, column: usize, walk: Walk<'_>) -> Result<Page> {
        self.begin().await?;
        let column = &self.columns[column];
        let page = read(&mut self.connection, column, walk).await.map_err(|error| {
            Error::database(&self.source, format!("reading table {}", column.table), &error)
        })?;
        session::commit(&mut self.connection, &self.source).await?;
        Ok(page)
    }

    pub(crate) async fn replace(&mut self, column: usize, changes: &[Change]) -> Result<u64> {
        self.begin().await?;
        let column = &self.columns[column];
        match write(&mut self.connection, column, changes).await {
            Ok(rows) => {
                session::commit(&mut self.connection, &self.source).await?;
                Ok(rows)
            }
            Err(error) if is_held(&error) => {
                super::end(&mut self.connection, &self.source).await?;
                Ok(0)
            }
            Err(error) => {
                Err(Error::database(&self.source, format!("writing table {}", column.table), &error))
            }
        }
    }

    async fn begin(&mut self) -> Result<()> {
        session::begin(&mut self.connection, &self.source, LOCK).await?;
        session::run(&mut self.connection, &self.source, "beginning a write transaction", SETTINGS.to_owned())
            .await
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(source = self.source, %error, "cannot close a PostgreSQL connection cleanly");
        }
    }
}

/// Whether another session holds something that was needed: a table lock, or something that a trigger waits for.
fn is_held(error: &sqlx::Error) -> bool {
    let held = [codes::LOCK_NOT_AVAILABLE, codes::DEADLOCK_DETECTED, codes::SERIALIZATION_FAILURE];
    sqlstate(error).is_some_and(|code| held.contains(&code))
}

async fn read(connection: &mut PgConnection, column: &Column, walk: Walk<'_>) -> sqlx::Result<Page> {
    let sql = if walk.after.is_some() { &column.next } else { &column.first };
    let longest = i32::try_from(walk.longest).unwrap_or(i32::MAX);
    let mut query = sqlx::query(AssertSqlSafe(sql.as_str()))
        .persistent(false)
        .bind(i64::from(walk.rows))
        .bind(longest)
        .bind(format!("srv1.{}.", walk.kid));
    for part in walk.after.iter().flat_map(|key| &key.0) {
        query = query.bind(part.text().to_owned());
    }
    let mut page = Page::default();
    let mut stream = query.fetch(connection);
    while let Some(row) = stream.try_next().await? {
        let key = row_key(&row, column.keys)?;
        let value = found(&row, column, key.clone())?;
        if page.take(key, value, walk) {
            break;
        }
    }
    Ok(page)
}

fn row_key(row: &PgRow, parts: usize) -> sqlx::Result<RowKey> {
    let part = |at: usize| Ok(KeyPart::Text(row.try_get(at)?));
    Ok(RowKey((0..parts).map(part).collect::<sqlx::Result<_>>()?))
}

fn found(row: &PgRow, column: &Column, key: RowKey) -> sqlx::Result<Option<FoundValue>> {
    let at = column.keys;
    let kind = row.try_get::<i32, _>(at)?;
    let text: Option<String> = match kind {
        0 => return Ok(None),
        1 => row.try_get(at + 1)?,
        _ => None,
    };
    let is_counted = text.as_ref().map_or(kind == 3, |text| text.starts_with("srv1."));
    let types = column.needed.iter().enumerate();
    let needed = types.map(|(index, base_type)| needed(row, at + 2 + index, *base_type));
    Ok(Some(FoundValue {
        key,
        text,
        is_counted,
        needed: needed.collect::<sqlx::Result<Vec<Box<RawValue>>>>()?,
    }))
}

fn needed(row: &PgRow, index: usize, base_type: i64) -> sqlx::Result<Box<RawValue>> {
    let failed = |source| sqlx::Error::ColumnDecode { index: index.to_string(), source };
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(RawValue::NULL.to_owned());
    }
    let bytes = value.as_bytes().map_err(failed)?;
    json_value(base_type, bytes).ok_or_else(|| failed("a value in an unknown form".into()))
}

async fn write(connection: &mut PgConnection, column: &Column, changes: &[Change]) -> sqlx::Result<u64> {
    let old: Vec<&str> = changes.iter().map(|change| change.old.as_str()).collect();
    let new: Vec<&str> = changes.iter().map(|change| change.new.as_str()).collect();
    let mut query = sqlx::query(AssertSqlSafe(column.replace.as_str())).persistent(false).bind(old).bind(new);
    for at in 0..column.keys {
        let parts: Vec<&str> = changes.iter().map(|change| change.key.0[at].text()).collect();
        query = query.bind(parts);
    }
    Ok(query.execute(connection).await?.rows_affected())
}
