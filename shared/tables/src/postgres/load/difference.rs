//! The statements that compare a live table with its stage and apply the difference.
//!
//! Rows with the same key are compared by their images, byte for byte, because types such as `json` and `point` have no
//! equality operator and because `1.0` and `1.00` are different values. Keys are compared as the key's own index does; its
//! operators may be in another schema (`citext`). Without a key, rows are compared as a multiset of their printed forms,
//! which is what an archive contains; equal rows are numbered to tell them apart.
//!
//! Rows are deleted and inserted rather than updated, so that unique values can be exchanged between rows and GENERATED
//! ALWAYS columns take the archive's values.

use super::pair::TablePair;
use super::references::rows;
use super::statements::{Failure, Session};
use crate::names::quoted;

/// A live table and its stage, with the names and operators that their statements need.
pub(super) struct Difference<'a> {
    pub(super) pair: &'a TablePair,
    /// The live rows, as written in FROM.
    pub(super) live: String,
    /// The equality operator of each key column.
    operators: Vec<String>,
    /// Loaded columns, quoted.
    pub(super) columns: Vec<String>,
    /// Columns that the archive lacks and that are not generated, quoted. A replaced row keeps their values.
    extras: Vec<String>,
}

#[derive(sqlx_macros::FromRow)]
struct Equality {
    table: i64,
    columns: Vec<String>,
    operators: Vec<String>,
}

/// One difference for each of `pairs`.
pub(super) async fn of<'a>(
    session: &mut Session<'_>,
    pairs: &'a [TablePair],
) -> Result<Vec<Difference<'a>>, Failure> {
    let tables: Vec<String> = pairs.iter().map(|pair| pair.oid.to_string()).collect();
    let sql = format!(
        "SELECT i.indrelid::int8 AS table,
                ARRAY(SELECT a.attname::text
                      FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
                      WHERE u.place <= i.indnkeyatts ORDER BY u.place) AS columns,
                ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                      FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS u (oid, place)
                      JOIN pg_opclass c ON c.oid = u.oid
                      JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
                                    AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
                      JOIN pg_operator o ON o.oid = m.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
                      WHERE c.opcmethod = 403 ORDER BY u.place) AS operators
         FROM pg_index i
         WHERE i.indrelid = ANY ('{{{}}}'::int8[]::oid[]) AND i.indisunique AND i.indimmediate
           AND i.indpred IS NULL AND i.indexprs IS NULL",
        tables.join(",")
    );
    let equalities: Vec<Equality> = session.rows("reading the keys", sql).await?;
    Ok(pairs.iter().map(|pair| Difference::new(pair, &equalities)).collect())
}

impl<'a> Difference<'a> {
    fn new(pair: &'a TablePair, equalities: &[Equality]) -> Self {
        let own = |one: &&Equality| one.table == pair.oid && one.columns == pair.key;
        let known = equalities.iter().find(own).map(|one| one.operators.clone());
        let known = known.filter(|operators| operators.len() == pair.key.len());
        let loaded: Vec<usize> = pair.columns.iter().map(|(_, at)| *at).collect();
        let columns = loaded.iter().filter_map(|at| pair.live.columns.get(*at));
        let others = pair.live.columns.iter().enumerate();
        let extras = others.filter(|(at, column)| column.generated.is_none() && !loaded.contains(at));
        Self {
            live: rows(&pair.live.namespace, &pair.live.table, pair.live.partition_key.is_some()),
            operators: known.unwrap_or_else(|| vec!["OPERATOR(pg_catalog.=)".to_owned(); pair.key.len()]),
            columns: columns.map(|column| quoted(&column.name)).collect(),
            extras: extras.map(|(_, column)| quoted(&column.name)).collect(),
            pair,
        }
    }

    pub(super) fn has_key(&self) -> bool {
        !self.pair.key.is_empty()
    }

    /// A condition on a key column, which is never NULL in a row: NULL means that an outer join found no row.
    pub(super) fn missing(&self, alias: &str) -> String {
        let column = self.pair.key.first().map(String::as_str).unwrap_or_default();
        format!("{alias}.{} IS NULL", quoted(column))
    }

    pub(super) fn same_key(&self, one: &str, other: &str) -> String {
        let both = self.pair.key.iter().zip(&self.operators);
        let equal = both.map(|(column, operator)| {
            let column = quoted(column);
            format!("{one}.{column} {operator} {other}.{column}")
        });
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// A condition that the image of `live` differs from that of `s`, which is from [`Self::staged`].
    pub(super) fn differs(&self, live: &str) -> String {
        let staged = if self.is_wide() { "s.image".to_owned() } else { self.row("s") };
        format!("pg_catalog.record_image_ne({}, {staged})", self.row(live))
    }

    /// The staged rows as used in comparisons. OFFSET 0 keeps the planner from expanding the images.
    pub(super) fn staged(&self) -> String {
        let stage = &self.pair.stage;
        if !self.is_wide() {
            return format!("{stage} AS s");
        }
        let (keys, row) = (self.keys("w"), self.row("w"));
        format!("(SELECT {keys}, {row} AS image FROM {stage} AS w OFFSET 0) AS s")
    }

    /// Whether both rows together have more columns than the server can join (1664).
    fn is_wide(&self) -> bool {
        self.columns.len() > 800
    }

    fn row(&self, alias: &str) -> String {
        format!("ROW({})", of_alias(&self.columns, alias).join(", "))
    }

    pub(super) fn keys(&self, alias: &str) -> String {
        let keys: Vec<String> = self.pair.key.iter().map(|column| quoted(column)).collect();
        of_alias(&keys, alias).join(", ")
    }

    /// The key of `alias` as a JSON array of strings.
    pub(super) fn printed_key(&self, alias: &str) -> String {
        let texts: Vec<String> =
            self.pair.key.iter().map(|column| format!("{alias}.{}::text", quoted(column))).collect();
        format!("left(to_json(ARRAY[{}])::text, 200)", texts.join(", "))
    }

    /// Rows of `from` with their printed form, and a number among the rows with the same form.
    pub(super) fn counted(&self, from: &str) -> String {
        let image = format!("({}::text) COLLATE \"C\"", self.row("r"));
        format!(
            "(SELECT r.ctid AS place, r.tableoid AS part, {image} AS image,
                     row_number() OVER (PARTITION BY {image}) AS nth FROM {from} AS r)"
        )
    }

    /// The rows that the table will have, with the loaded columns.
    pub(super) fn after(&self, merges: bool) -> String {
        let columns = self.columns.join(", ");
        if !merges {
            return format!("(SELECT {columns} FROM {})", self.pair.stage);
        }
        format!(
            "(SELECT {columns} FROM {} UNION ALL SELECT {columns} FROM {} AS new)",
            self.live,
            self.new_rows()
        )
    }

    /// Staged rows whose key is not in the live table.
    pub(super) fn new_rows(&self) -> String {
        format!(
            "(SELECT s.* FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {}))",
            self.pair.stage,
            self.live,
            self.same_key("l", "s")
        )
    }

    /// Staged rows that the live table does not have in the same form; for a merge, only new rows. Requires a key.
    pub(super) fn coming_rows(&self, merges: bool) -> String {
        if merges {
            return self.new_rows();
        }
        format!(
            "(SELECT s.* FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {}
              AND pg_catalog.record_image_eq({}, {})))",
            self.pair.stage,
            self.live,
            self.same_key("l", "s"),
            self.row("l"),
            self.row("s")
        )
    }

    /// Staged rows that are recorded as added.
    pub(super) fn added_rows(&self) -> String {
        format!("(SELECT s.* FROM {})", self.join_added())
    }

    fn join_added(&self) -> String {
        let (added, stage) = (&self.pair.added, &self.pair.stage);
        if self.has_key() {
            format!("{stage} AS s JOIN {added} AS a ON {}", self.same_key("s", "a"))
        } else {
            format!("{stage} AS s JOIN {added} AS a ON s.ctid = a.place")
        }
    }

    /// Keeps the rows that will be deleted. For a table without a key all rows are kept, because the deleted ones could not
    /// be identified later.
    pub(super) fn keep_removed(&self) -> String {
        let (undo, live) = (&self.pair.undo, &self.live);
        if !self.has_key() {
            return format!("CREATE TABLE {undo} AS SELECT l.* FROM {live} AS l");
        }
        format!(
            "CREATE TABLE {undo} AS SELECT l.* FROM {live} AS l LEFT JOIN {} ON {} WHERE {} OR {}",
            self.staged(),
            self.same_key("l", "s"),
            self.missing("s"),
            self.differs("l")
        )
    }

    /// Records the rows that will be added and are new: their keys, or their positions in the stage.
    pub(super) fn note_created(&self) -> String {
        let (added, live, stage) = (&self.pair.added, &self.live, &self.pair.stage);
        if !self.has_key() {
            let (old, new) = (self.counted(live), self.counted(stage));
            return format!(
                "CREATE TABLE {added} AS SELECT s.place FROM {new} AS s LEFT JOIN {old} AS l
                     ON l.image = s.image AND l.nth = s.nth WHERE l.nth IS NULL"
            );
        }
        format!(
            "CREATE TABLE {added} AS SELECT {} FROM {stage} AS s LEFT JOIN {live} AS l ON {} WHERE {}",
            self.keys("s"),
            self.same_key("l", "s"),
            self.missing("l")
        )
    }

    /// Records the added rows that replace a deleted row.
    pub(super) fn note_changed(&self) -> String {
        let (added, undo, stage) = (&self.pair.added, &self.pair.undo, &self.pair.stage);
        let (keys, same) = (self.keys("s"), self.same_key("u", "s"));
        format!("INSERT INTO {added} SELECT {keys} FROM {undo} AS u JOIN {stage} AS s ON {same}")
    }

    pub(super) fn delete(&self) -> String {
        let (live, undo) = (&self.live, &self.pair.undo);
        if !self.has_key() {
            let (old, new) = (self.counted(live), self.counted(&self.pair.stage));
            return format!(
                "DELETE FROM {live} AS l USING (SELECT o.place, o.part FROM {old} AS o LEFT JOIN {new} AS s
                     ON o.image = s.image AND o.nth = s.nth WHERE s.nth IS NULL) AS d
                 WHERE l.ctid = d.place AND l.tableoid = d.part"
            );
        }
        format!("DELETE FROM {live} AS l USING {undo} AS u WHERE {}", self.same_key("l", "u"))
    }

    /// Adds the recorded rows. `has_removed`: whether the undo table has deleted rows, some of which the added rows may
    /// replace.
    pub(super) fn insert(&self, has_removed: bool) -> Vec<String> {
        let from = self.join_added();
        let values = of_alias(&self.columns, "s").join(", ");
        let created = format!("{} SELECT {values} FROM {from}", self.into(&self.columns));
        if self.extras.is_empty() || !self.has_key() || !has_removed {
            return vec![created];
        }
        let undo = &self.pair.undo;
        let same = self.same_key("u", "s");
        let all: Vec<String> = self.columns.iter().chain(&self.extras).cloned().collect();
        let kept = of_alias(&self.extras, "u").join(", ");
        vec![
            format!("{created} WHERE NOT EXISTS (SELECT FROM {undo} AS u WHERE {same})"),
            format!("{} SELECT {values}, {kept} FROM {from} JOIN {undo} AS u ON {same}", self.into(&all)),
        ]
    }

    pub(super) fn into(&self, columns: &[String]) -> String {
        // A table can have no columns, and an empty list is not valid SQL.
        let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        format!("INSERT INTO {}{list} OVERRIDING SYSTEM VALUE", self.pair.qualified)
    }

    /// Names of the loaded columns, unquoted.
    pub(super) fn loaded(&self) -> impl Iterator<Item = &str> {
        let live = |(_, at): &(usize, usize)| self.pair.live.columns.get(*at);
        self.pair.columns.iter().filter_map(live).map(|column| column.name.as_str())
    }

    /// Whether all of `columns` are loaded.
    pub(super) fn loads(&self, columns: &[String]) -> bool {
        columns.iter().all(|column| self.columns.contains(&quoted(column)))
    }
}

/// Each of `columns`, qualified with `alias`.
pub(super) fn of_alias(columns: &[String], alias: &str) -> Vec<String> {
    columns.iter().map(|column| format!("{alias}.{column}")).collect()
}
