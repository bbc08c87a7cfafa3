//! Large objects, under their own ids: created with the rows of empty tables; otherwise kept in pieces beside the stage
//! until the swap.

use bytes::Bytes;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use super::PostgresStage;
use crate::error::{Error, Result};
use crate::load::Refusal;

impl PostgresStage {
    pub(super) async fn load_object(&mut self, oid: u32, mut pieces: mpsc::Receiver<Bytes>) -> Result<u64> {
        let source = self.options.read.source.clone();
        let failed = |error| failed(&source, oid, &error);
        if self.direct.is_some() {
            create(&mut self.connection, oid).await.map_err(failed)?;
        }
        let mut loaded = 0;
        loop {
            let piece = pieces.recv().await.ok_or(Error::Cancelled)?;
            if piece.is_empty() {
                break;
            }
            let length = piece.len() as u64;
            if self.direct.is_some() {
                put(&mut self.connection, oid, loaded, &piece).await.map_err(failed)?;
            }
            loaded += length;
        }
        self.large_objects.push(oid);
        Ok(loaded)
    }
}

async fn create(connection: &mut PgConnection, oid: u32) -> sqlx::Result<()> {
    let sql = format!("SELECT lo_create({oid}::oid)");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

async fn put(connection: &mut PgConnection, oid: u32, place: u64, piece: &[u8]) -> sqlx::Result<()> {
    let put = sqlx::query("SELECT lo_put($1::int8::oid, $2, $3)")
        .bind(i64::from(oid))
        .bind(i64::try_from(place).unwrap_or(i64::MAX))
        .bind(piece)
        .persistent(false)
        .execute(connection);
    put.await.map(drop)
}

/// 23505 is a taken id.
fn failed(source: &str, oid: u32, error: &sqlx::Error) -> Error {
    match crate::fault::sqlstate(error) {
        Some("23505") => {
            Error::Refused { name: source.to_owned(), refusals: vec![Refusal::LargeObjectTaken { oid }] }
        }
        _ => Error::database(source, format!("creating the large object {oid}"), error),
    }
}
