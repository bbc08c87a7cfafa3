//! The size of the tables according to the server.

use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use strongroom_store::DatabaseUrl;

use super::session::connect;
use crate::error::{Error, Result};

/// Includes large values and large objects, but not indexes.
const BYTES: &str = "
    SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       OR c.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass";

/// Size of all tables in bytes.
pub(crate) async fn bytes(url: &DatabaseUrl, options: &PgConnectOptions, source: &str) -> Result<i64> {
    let mut connection = connect(url, options, source).await?;
    let bytes = sqlx::query_scalar(BYTES).fetch_one(&mut connection).await;
    // The result has arrived, so a failure to close does not matter.
    let _ = connection.close().await;
    bytes.map_err(|error| Error::database(source, "measuring its size", &error))
}
