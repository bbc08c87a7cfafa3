//! Large objects, under their own ids: created with the rows of empty tables; otherwise kept in pieces beside the stage until
//! the swap. An object that already exists in the target stays if its content is the same; otherwise the restore is refused,
//! because the old content could not be brought back.

use bytes::Bytes;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use super::PostgresStage;
use super::pair::Place;
use super::statements::{Failure, Session};
use crate::error::{Error, Result};
use crate::load::Refusal;
use crate::postgres::codes;

/// Maximum number of objects named.
const MOST: usize = 10;

impl PostgresStage {
    pub(super) async fn load_object(&mut self, oid: u32, mut pieces: mpsc::Receiver<Bytes>) -> Result<u64> {
        let source = self.options.read.source.clone();
        let failed = |error| failed(&source, oid, &error);
        let statement = match self.direct {
            Some(_) => "SELECT lo_put($1::int8::oid, $2, $3)".to_owned(),
            None => {
                format!("INSERT INTO {} VALUES ($1::int8::oid, $2, $3)", table(&Place::of(&self.purpose)))
            }
        };
        if self.direct.is_some() {
            create(&mut self.connection, oid).await.map_err(failed)?;
        }
        let mut loaded = 0;
        loop {
            let piece = pieces.recv().await.ok_or(Error::Cancelled)?;
            if piece.is_empty() {
                break;
            }
            put(&mut self.connection, &statement, oid, loaded, &piece).await.map_err(failed)?;
            loaded += piece.len() as u64;
        }
        self.large_objects.push(oid);
        Ok(loaded)
    }
}

/// The table that keeps the pieces, quoted and with its schema.
fn table(place: &Place) -> String {
    place.table("o", 0)
}

/// The statement that creates that table.
pub(super) fn create_stage(place: &Place) -> String {
    format!("CREATE TABLE {} (oid oid, place bigint, piece bytea)", table(place))
}

/// A staged object whose id exists in the target, and whether the contents are equal.
#[derive(sqlx_macros::FromRow)]
struct Taken {
    oid: i64,
    is_same: bool,
}

async fn taken(session: &mut Session<'_>, place: &Place, objects: &[u32]) -> Result<Vec<Taken>, Failure> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let (list, pieces) = (listed(objects), table(place));
    // The object must end where its pieces end.
    let sql = format!(
        "SELECT m.oid::int8 AS oid,
                coalesce(bool_and(lo_get(p.oid, p.place, length(p.piece)) = p.piece), true)
                AND lo_get(m.oid, coalesce(max(p.place + length(p.piece)), 0), 1) = '' AS is_same
         FROM pg_largeobject_metadata m LEFT JOIN {pieces} p ON p.oid = m.oid
         WHERE m.oid = ANY ('{{{list}}}'::oid[]) GROUP BY m.oid ORDER BY m.oid"
    );
    session.rows("comparing large objects", sql).await
}

fn listed(objects: &[u32]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Refusals for objects in the target that conflict with staged ones.
pub(super) async fn refusals(
    session: &mut Session<'_>,
    place: &Place,
    objects: &[u32],
) -> Result<Vec<Refusal>, Failure> {
    Ok(others(&taken(session, place, objects).await?))
}

fn others(taken: &[Taken]) -> Vec<Refusal> {
    let others = taken.iter().filter(|taken| !taken.is_same).take(MOST);
    let oids = others.filter_map(|taken| u32::try_from(taken.oid).ok());
    oids.map(|oid| Refusal::LargeObjectTaken { oid }).collect()
}

/// Those of `objects` that the target lacks. Determined before locking, because contents have to be compared.
pub(super) async fn missing(
    session: &mut Session<'_>,
    place: &Place,
    objects: &[u32],
) -> Result<Vec<u32>, Failure> {
    let taken = taken(session, place, objects).await?;
    let refusals = others(&taken);
    if !refusals.is_empty() {
        return Err(Error::Refused { name: session.source.to_owned(), refusals }.into());
    }
    let is_there = |oid: &u32| taken.iter().any(|taken| taken.oid == i64::from(*oid));
    Ok(objects.iter().copied().filter(|oid| !is_there(oid)).collect())
}

/// Creates large objects from the kept pieces, in the swap's transaction.
pub(super) async fn create_staged(
    session: &mut Session<'_>,
    place: &Place,
    created: &[u32],
) -> Result<(), Failure> {
    if created.is_empty() {
        return Ok(());
    }
    let (list, pieces) = (listed(created), table(place));
    let sql = format!(
        "DO $$ BEGIN
             PERFORM lo_create(o) FROM unnest('{{{list}}}'::oid[]) AS o;
             PERFORM lo_put(oid, place, piece) FROM {pieces} WHERE oid = ANY ('{{{list}}}'::oid[]);
         END $$"
    );
    session.run("creating large objects", sql).await.map(drop)
}

async fn create(connection: &mut PgConnection, oid: u32) -> sqlx::Result<()> {
    let sql = format!("SELECT lo_create({oid}::oid)");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

async fn put(
    connection: &mut PgConnection,
    statement: &str,
    oid: u32,
    place: u64,
    piece: &[u8],
) -> sqlx::Result<()> {
    let put = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(i64::from(oid))
        .bind(i64::try_from(place).unwrap_or(i64::MAX))
        .bind(piece)
        .persistent(false)
        .execute(connection);
    put.await.map(drop)
}

fn failed(source: &str, oid: u32, error: &sqlx::Error) -> Error {
    match crate::fault::sqlstate(error) {
        // The id is taken.
        Some(codes::UNIQUE_VIOLATION) => {
            Error::Refused { name: source.to_owned(), refusals: vec![Refusal::LargeObjectTaken { oid }] }
        }
        _ => Error::database(source, format!("creating the large object {oid}"), error),
    }
}
