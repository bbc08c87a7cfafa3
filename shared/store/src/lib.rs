//! Opening the two databases, and telling their errors apart by kind.
//!
//! No tables are known here. A service keeps its SQL in `store/sqlite` and `store/postgres` files of its own.
//! [`sqlite`] and [`postgres`] have the same names for the same things, so that a service's two files for one
//! noun can be the same text: each imports the names of its engine, and the rest does not tell them apart.

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
