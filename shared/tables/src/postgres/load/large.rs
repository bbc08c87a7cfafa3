//! Large objects, under their own ids: created with the rows of empty tables; otherwise kept in pieces beside the stage
//! until the swap.

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

/// Where pieces are kept, quoted and with its schema.
fn table(place: &Place) -> String {
    place.table("o", 0)
}

/// The statement that makes the place.
pub(super) fn create_stage(place: &Place) -> String {
    format!("CREATE TABLE {} (oid oid, place bigint, piece bytea)", table(place))
}

/// Makes the large objects from the pieces that were kept, in the transaction of the swap.
pub(super) async fn create_staged(
    session: &mut Session<'_>,
    place: &Place,
    objects: &[u32],
) -> Result<(), Failure> {
    if objects.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let (list, pieces) = (list.join(", "), table(place));
    let taken = format!(
        "SELECT m.oid::int8 FROM pg_largeobject_metadata m WHERE m.oid IN ({list}) ORDER BY 1 LIMIT 10"
    );
    let taken: Vec<(i64,)> = session.rows("looking for large objects", taken).await?;
    let taken = taken.iter().filter_map(|(oid,)| u32::try_from(*oid).ok());
    let refusals: Vec<Refusal> = taken.map(|oid| Refusal::LargeObjectTaken { oid }).collect();
    if !refusals.is_empty() {
        return Err(Error::Refused { name: session.source.to_owned(), refusals }.into());
    }
    let sql = format!(
        "DO $$ BEGIN
             PERFORM lo_create(o) FROM unnest('{{{list}}}'::oid[]) AS o;
             PERFORM lo_put(oid, place, piece) FROM {pieces};
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
