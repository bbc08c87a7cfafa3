//! Reads a database table by table in one consistent snapshot, as blocks of finished JSON rows; and puts rows back
//! ([`load`]), or replaces sealed values with others ([`reencrypt`]).
//!
//! Any SQLite or PostgreSQL database works: tables are found by introspection, and each comes with the schema entry that a
//! restore uses. Values take the forms given in FORMAT.md. Memory does not grow with a table: a block holds about
//! [`BLOCK_SIZE`] bytes or one row, whichever is larger.
//!
//! ```no_run
//! # async fn example() -> strongroom_tables::Result<()> {
//! use strongroom_store::DatabaseUrl;
//! use strongroom_tables::{SnapshotOptions, open_snapshot};
//!
//! let url = DatabaseUrl::parse("sqlite:gateway.db")?;
//! let mut snapshot = open_snapshot(&url, &SnapshotOptions::new("gateway")).await?;
//! let (blocks, mut received) = tokio::sync::mpsc::channel::<strongroom_tables::Block>(4);
//! let reader = tokio::spawn(async move {
//!     while let Some(block) = received.recv().await {
//!         println!("{} rows in {} bytes", block.rows, block.bytes.len());
//!     }
//! });
//! for table in snapshot.tables().to_vec() {
//!     snapshot.read_table(&table.name, None, &blocks).await?;
//! }
//! snapshot.close().await;
//! # drop(blocks);
//! # reader.await.ok();
//! # Ok(())
//! # }
//! ```

mod block;
mod error;
mod fault;
mod kind;
mod limit;
pub mod load;
mod migrations;
mod names;
mod options;
mod outside;
mod postgres;
pub mod reencrypt;
pub mod scratch;
mod size;
mod snapshot;
mod sqlite;
mod times;

/// The PostgreSQL schema in which a restore stages rows and keeps the rows that it replaced. It is neither listed nor read.
pub const RESTORE_SCHEMA: &str = "strongroom";
/// Prefix of the names of such tables in a SQLite database.
pub const RESTORE_TABLES: &str = "_strongroom_";

pub use block::{BLOCK_SIZE, Block};
pub use error::{Error, Result};
pub use fault::Fault;
pub use kind::Kind;
pub use migrations::MigrationsTable;
pub use names::listed_name;
pub use options::{Since, Skipped, SnapshotInfo, SnapshotOptions, UnreadableTimes};
pub use outside::Outside;
pub use size::database_bytes;
pub use snapshot::{Snapshot, list_tables, open_snapshot};
