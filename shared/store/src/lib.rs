//! Opening the two databases, and telling their errors apart by kind.
//!
//! No tables are known here. A service keeps its SQL in `store/sqlite` and `store/postgres` files of its own
//! and holds what this crate opens: for SQLite one writer connection beside a pool of readers, for PostgreSQL
//! one pool.

mod error;
mod postgres;
mod sqlite;
mod url;

pub use error::{Error, Kind, Result, expect_rows};
pub use postgres::open_postgres;
pub use sqlite::{SqlitePools, open_sqlite};
pub use url::{DatabaseUrl, Engine};
