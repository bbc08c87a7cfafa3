//! The kept rows that a restore deletes, and the keys of those that it adds.
//!
//! Both are in the database itself, because a transaction over several files is not atomic in WAL mode.

use sqlx::sqlite::SqliteConnection;

use super::difference::{key, list, live, numbered};
use super::markers::{Marked, made_table, run, undo_table};
use crate::names::quoted;

/// Location of a table's old rows and new keys.
pub(super) struct Undo {
    /// Whole rows: the columns as `u0`, `u1` and so on, with those that the archive lacks last.
    pub(super) undo: String,
    /// Keys as `k0`, `k1` and so on; for a table without a key, whole rows with the archive's columns.
    pub(super) made: String,
}

impl Undo {
    pub(super) fn of(digits: &str, at: usize) -> Self {
        Self { undo: undo_table(digits, at), made: made_table(digits, at) }
    }

    pub(super) async fn create(&self, connection: &mut SqliteConnection, table: &Marked) -> sqlx::Result<()> {
        let all = numbered("u", table.columns.len() + table.extra.len());
        run(connection, format!("CREATE TABLE {} ({all})", self.undo)).await?;
        let made = numbered("k", made_columns(table));
        run(connection, format!("CREATE TABLE {} ({made})", self.made)).await.map(drop)
    }

    /// Keeps live rows: those of `from`, which names their table `alias`. Returns their number.
    pub(super) async fn keep(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
        alias: &str,
        from: &str,
    ) -> sqlx::Result<u64> {
        let columns = list(alias, table.columns.iter().chain(&table.extra));
        run(connection, format!("INSERT INTO {} SELECT {columns} {from}", self.undo)).await
    }

    /// Deletes the live rows that were kept. For a table with a key.
    pub(super) async fn remove_kept(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
    ) -> sqlx::Result<u64> {
        let places = key(table).into_iter().map(|(at, _)| format!("u{at}")).collect::<Vec<_>>().join(", ");
        self.remove(connection, table, &format!("SELECT {places} FROM {}", self.undo)).await
    }

    /// Deletes the live rows that the restore added. For a table with a key.
    pub(super) async fn remove_made(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
    ) -> sqlx::Result<u64> {
        let places = numbered("k", table.key.len());
        self.remove(connection, table, &format!("SELECT {places} FROM {}", self.made)).await
    }

    async fn remove(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
        keys: &str,
    ) -> sqlx::Result<u64> {
        let columns = table
            .key
            .iter()
            .map(|(name, collation)| format!("{} COLLATE {}", quoted(name), quoted(collation)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        run(connection, format!("DELETE FROM {} WHERE ({columns}) IN ({keys})", live(table))).await
    }

    /// For each row that the restore added, deletes one equal live row. For a table without a key.
    pub(super) async fn remove_alike(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
    ) -> sqlx::Result<u64> {
        let made = &self.made;
        let columns = table.columns.len();
        let values = (0..columns).map(|at| format!("c{at} COLLATE BINARY")).collect::<Vec<_>>().join(", ");
        let named = table.columns.iter().enumerate();
        let named = named.map(|(at, name)| format!("l.{} AS c{at}", quoted(name))).collect::<Vec<_>>();
        let rowid = super::difference::rowid(table);
        let kinds = super::difference::classes(columns);
        let sql = format!(
            "DELETE FROM {live} WHERE {rowid} IN (SELECT r FROM (
                 SELECT side, r, row_number() OVER alike AS place, count(*) FILTER (WHERE side = 1) OVER alike AS made
                 FROM (SELECT 0 AS side, l.{rowid} AS r, {named} FROM {live} AS l
                       UNION ALL SELECT 1, rowid, {numbers} FROM {made})
                 WINDOW alike AS (PARTITION BY {values}, {kinds} ORDER BY side DESC))
             WHERE side = 0 AND place <= 2 * made)",
            live = live(table),
            named = named.join(", "),
            numbers = numbered("k", columns),
        );
        run(connection, sql).await
    }

    /// Inserts the old rows again.
    pub(super) async fn put_back(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
    ) -> sqlx::Result<u64> {
        let columns = list("", table.columns.iter().chain(&table.extra));
        let values = numbered("u", table.columns.len() + table.extra.len());
        let undo = &self.undo;
        run(
            connection,
            format!("INSERT OR ABORT INTO {} ({columns}) SELECT {values} FROM {undo}", live(table)),
        )
        .await
    }

    /// Number of live rows that have the key of a row that was deleted for good. Zero for a table without a key.
    pub(super) async fn taken(&self, connection: &mut SqliteConnection, table: &Marked) -> sqlx::Result<u64> {
        if table.key.is_empty() {
            return Ok(0);
        }
        let kept = key(table).into_iter().map(|(at, collation)| {
            format!("l.{} = u.u{at} COLLATE {}", quoted(&table.columns[at]), quoted(collation))
        });
        let made = key(table)
            .into_iter()
            .enumerate()
            .map(|(number, (at, collation))| format!("m.k{number} = u.u{at} COLLATE {}", quoted(collation)));
        let sql = format!(
            "SELECT count(*) FROM {} AS u CROSS JOIN {} AS l ON {} WHERE NOT EXISTS (SELECT 1 FROM {} AS m WHERE {})",
            self.undo,
            live(table),
            kept.collect::<Vec<_>>().join(" AND "),
            self.made,
            made.collect::<Vec<_>>().join(" AND ")
        );
        super::compare::count(connection, sql).await
    }

    /// True if the key of the added row `m` is that of the staged row `s`.
    pub(super) fn same_made_staged(&self, table: &Marked) -> String {
        let parts = key(table)
            .into_iter()
            .enumerate()
            .map(|(number, (at, collation))| format!("s.c{at} = m.k{number} COLLATE {}", quoted(collation)));
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// True if a join has found no live row, as `l`.
    pub(super) fn no_live(&self, table: &Marked) -> String {
        table
            .key
            .first()
            .map_or_else(|| "false".to_owned(), |(name, _)| format!("l.{} IS NULL", quoted(name)))
    }

    /// Number of keys that were both deleted and added: rows that were changed.
    pub(super) async fn changed(
        &self,
        connection: &mut SqliteConnection,
        table: &Marked,
    ) -> sqlx::Result<u64> {
        if table.key.is_empty() {
            return Ok(0);
        }
        let same = key(table)
            .into_iter()
            .enumerate()
            .map(|(number, (at, collation))| format!("u.u{at} = m.k{number} COLLATE {}", quoted(collation)));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let (undo, made) = (&self.undo, &self.made);
        super::compare::count(
            connection,
            format!("SELECT count(*) FROM {made} AS m JOIN {undo} AS u ON {same}"),
        )
        .await
    }
}

fn made_columns(table: &Marked) -> usize {
    if table.key.is_empty() { table.columns.len() } else { table.key.len() }
}
