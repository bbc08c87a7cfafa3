//! Large objects: their ids, and their bytes in pieces.

use bytes::Bytes;
use sqlx::postgres::PgConnection;
use strongroom_archive::Limits;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::options::Skipped;

/// Bytes fetched at once.
const PIECE: i32 = 1 << 20;

/// The ids of those that this user can read, in order. The others are reported in `skipped`.
pub(super) async fn list(
    connection: &mut PgConnection,
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<u32>> {
    // Before version 18 no function tests this right, and reading without it aborts the transaction.
    let rows: Vec<(i64, bool)> = sqlx::query_as(
        "SELECT m.oid::int8, current_setting('lo_compat_privileges')::bool OR pg_has_role(m.lomowner, 'USAGE')
                OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper)
                OR EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
                           AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
         FROM pg_largeobject_metadata m ORDER BY m.oid LIMIT $1",
    )
    // One more than an archive can hold; the excess is refused when the archive's entries are counted.
    .bind(i64::try_from(Limits::V1.entries).unwrap_or(i64::MAX).saturating_add(1))
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let (readable, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, readable)| *readable);
    if let Some((first, _)) = others.first() {
        let count = others.len();
        let reason = format!(
            "the database user has no right to read {count} of them; GRANT SELECT ON LARGE OBJECT {first} to it, and so on"
        );
        skipped.push(Skipped { name: "large objects".to_owned(), reason });
    }
    Ok(readable.into_iter().filter_map(|(oid, _)| u32::try_from(oid).ok()).collect())
}

/// Sends the bytes of `oid`. Returns their number.
pub(super) async fn read(
    connection: &mut PgConnection,
    source: &str,
    oid: u32,
    pieces: &mpsc::Sender<Bytes>,
) -> Result<u64> {
    let mut sent = 0;
    loop {
        let piece: Vec<u8> = sqlx::query_scalar("SELECT lo_get($1::int8::oid, $2, $3)")
            .bind(i64::from(oid))
            .bind(i64::try_from(sent).unwrap_or(i64::MAX))
            .bind(PIECE)
            .persistent(false)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| Error::database(source, format!("reading the large object {oid}"), &error))?;
        let length = piece.len();
        if length > 0 {
            pieces.send(piece.into()).await.map_err(|_| Error::Cancelled)?;
        }
        sent += length as u64;
        if length < PIECE as usize {
            return Ok(sent);
        }
    }
}
