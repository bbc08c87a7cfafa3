//! Partitioned tables: by range, list and hash, on several levels, with a default partition.

use super::{Draft, Table};

/// How a table's rows are partitioned. No two of the bounds overlap.
struct Split {
    key: String,
    bounds: &'static [&'static str],
    /// Columns that a unique key must contain; `None` for an expression.
    columns: Option<Vec<String>>,
}

const RANGES: &[&str] = &["FROM (MINVALUE) TO (0)", "FROM (0) TO (10)", "FROM (10) TO (MAXVALUE)", "DEFAULT"];
const PAIRS: &[&str] = &["FROM (0, MINVALUE) TO (0, 'm')", "FROM (0, 'm') TO (5, 'it''s')", "DEFAULT"];
const NUMBERS: &[&str] = &["IN (1, 2)", "IN (NULL, 3)", "DEFAULT"];
const TEXTS: &[&str] = &["IN ('a, b', 'it''s')", "IN (NULL)", "DEFAULT"];
const REMAINDERS: &[&str] =
    &["WITH (modulus 3, remainder 0)", "WITH (modulus 3, remainder 1)", "WITH (modulus 6, remainder 2)"];

impl Draft {
    pub(super) fn partitioned_table(&mut self) {
        let (mut table, columns) = self.columns();
        let columns = if self.version < 17 { without_identity(&columns) } else { columns };
        let split = self.split(&table);
        table.is_partitioned = true;
        table.partitioned_by.clone_from(&split.columns);
        self.add(format!("CREATE TABLE {} ({columns}) PARTITION BY {}", table.sql, split.key));
        let place = self.tables.len();
        self.tables.push(table.clone());
        let needed = self.partitions(&table, &split, 0);
        self.tables[place].partitioned_by = needed;
    }

    fn split(&mut self, table: &Table) -> Split {
        let (number, text) = (&table.number, &table.text);
        let one = |column: &String| Some(vec![column.clone()]);
        let (key, bounds, columns) = match self.random.below(7) {
            0 => (format!("RANGE ({number})"), RANGES, one(number)),
            1 => (format!("RANGE ({number}, {text})"), PAIRS, Some(vec![number.clone(), text.clone()])),
            2 => (format!("LIST ({number})"), NUMBERS, one(number)),
            3 => (format!("LIST ({text} COLLATE \"C\" text_pattern_ops)"), TEXTS, None),
            4 => (format!("HASH ({number})"), REMAINDERS, one(number)),
            5 => (format!("HASH ({number}, {text})"), REMAINDERS, Some(vec![number.clone(), text.clone()])),
            _ => (format!("RANGE (({number} % 10))"), RANGES, None),
        };
        Split { key, bounds, columns }
    }

    /// Creates partitions of `parent`, and returns the columns that a unique key of it must contain for all levels below.
    fn partitions(&mut self, parent: &Table, split: &Split, depth: usize) -> Option<Vec<String>> {
        let mut needed = split.columns.clone();
        for bound in self.random.some(75, split.bounds) {
            let mut partition = Table {
                sql: self.object("part"),
                is_partition: true,
                is_partitioned: depth < 2 && self.random.chance(25),
                partitioned_by: Some(Vec::new()),
                ..parent.clone()
            };
            let below = partition.is_partitioned.then(|| self.split(parent));
            let by = below.as_ref().map(|split| format!(" PARTITION BY {}", split.key));
            self.partition(parent, &partition, bound, &by.unwrap_or_default());
            let place = self.tables.len();
            self.tables.push(partition.clone());
            if let Some(below) = below {
                partition.partitioned_by = self.partitions(&partition, &below, depth + 1);
                needed = both(needed, partition.partitioned_by.clone());
                self.tables[place] = partition;
            }
        }
        needed
    }

    /// Creates a partition directly, or attaches a table with its columns at other positions.
    fn partition(&mut self, parent: &Table, partition: &Table, bound: &str, by: &str) {
        let values = if bound == "DEFAULT" { bound.to_owned() } else { format!("FOR VALUES {bound}") };
        let (own, of) = (&partition.sql, &parent.sql);
        if self.random.chance(60) {
            self.add(format!("CREATE TABLE {own} PARTITION OF {of} {values}{by}"));
            return;
        }
        self.add(format!("CREATE TABLE {own} (gone integer, LIKE {of} INCLUDING GENERATED){by}"));
        self.add(format!("ALTER TABLE {own} DROP COLUMN gone"));
        self.add(format!("ALTER TABLE {of} ATTACH PARTITION {own} {values}"));
    }

    /// Partitions that already had all of their table's objects before they were attached.
    pub(super) fn some_partitions_of_copies(&mut self) {
        let roots = self.tables.clone();
        for root in roots.iter().filter(|table| table.is_partitioned && !table.is_partition) {
            if !self.random.chance(40) {
                continue;
            }
            let copy = self.object("copy");
            self.add(format!("CREATE TABLE {copy} (LIKE {} INCLUDING ALL EXCLUDING IDENTITY)", root.sql));
            let bound = self.statements.iter().find_map(|statement| {
                let start = format!("CREATE TABLE {} (", root.sql);
                let (_, key) =
                    statement.starts_with(&start).then(|| statement.rsplit_once(" PARTITION BY "))??;
                free_bound(key)
            });
            let Some(bound) = bound else { continue };
            self.add(format!("ALTER TABLE {} ATTACH PARTITION {copy} FOR VALUES {bound}", root.sql));
        }
    }
}

/// A bound that is not used by the constants above.
fn free_bound(key: &str) -> Option<&'static str> {
    match key {
        _ if key.starts_with("HASH") => Some("WITH (modulus 6, remainder 5)"),
        _ if key.contains("text_pattern_ops") => Some("IN ('copy')"),
        _ if key.starts_with("LIST") => Some("IN (100)"),
        _ if key.starts_with("RANGE (\"") && key.contains("\", \"") => Some("FROM (7, 'a') TO (8, 'b')"),
        _ => None,
    }
}

fn both(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let mut columns = one?;
    for column in other? {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Some(columns)
}

/// Before version 17, a table with such columns could not become a partition.
fn without_identity(columns: &str) -> String {
    columns
        .replace(" GENERATED ALWAYS AS IDENTITY", "")
        .replace(" GENERATED BY DEFAULT AS IDENTITY (START WITH 10)", "")
}
