//! Opens SQLite and PostgreSQL databases, and classifies their errors.
//!
//! This crate knows no tables. A service keeps its SQL in its own `store/sqlite` and `store/postgres` files.
//! [`sqlite`] and [`postgres`] export the same names, so that a service's two files for one entity can have the
//! same text, apart from the import of the engine's names.

mod disk;
mod error;
pub mod postgres;
mod row;
pub mod sqlite;
mod turn;
mod url;

pub use disk::Disk;
pub use error::{Error, Kind, Result, expect_rows};
pub use row::parsed_column;
pub use url::{DatabaseUrl, Engine};
