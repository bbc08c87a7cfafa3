//! The size of the file, without its free pages.

use std::path::Path;

use strongroom_store::DatabaseUrl;

use super::connection::Connection;
use crate::error::{Error, Result};

const BYTES: &str = "
    SELECT (c.page_count - f.freelist_count) * s.page_size
    FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s";

/// Size of all pages in use, in bytes.
pub(crate) async fn bytes(url: &DatabaseUrl, path: &Path, source: &str) -> Result<i64> {
    let mut connection = Connection::open(url, path, source, 1).await?;
    let bytes = sqlx::query_scalar(BYTES).fetch_one(&mut *connection).await;
    bytes.map_err(|error| Error::database(source, "measuring its size", &error))
}
