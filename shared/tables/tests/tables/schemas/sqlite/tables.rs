//! Tables: strict, without rowid, with constraints and foreign keys. Indexes.

use super::{Draft, Table};
use crate::schemas::names::quoted;

const TYPES: &[&str] =
    &["", "VARCHAR(10)", "DECIMAL(10, 2)", "my type", "INTEGER", "BLOB", "\"odd(type\"", "timestamp"];
const STRICT_TYPES: &[&str] = &["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const COLLATIONS: &[&str] = &[" COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"];

impl Draft {
    pub(super) fn table(&mut self) {
        let name = self.names.next(&mut self.random, "table");
        let (number, text) = (self.name("number"), self.name("text"));
        let mut table = Table { name, columns: vec![number.clone(), text.clone()] };
        let strict = self.random.chance(30);
        let without_rowid = self.random.chance(30);
        let (inline, mut rest) = self.primary_key(&number, &text, without_rowid);
        let mut parts = vec![format!("{number} INTEGER{inline}"), format!("{text} TEXT{}", self.collate())];
        for _ in 0..self.random.below(5) {
            parts.push(self.column(&mut table, strict));
        }
        for _ in 0..self.random.below(3) {
            let column = self.name("reference");
            let part = self.foreign_key(&table, &column, strict);
            parts.push(format!("{column} {}", if strict { "INT" } else { "BIGINT" }));
            rest.push(part);
        }
        parts.extend(rest);
        parts.extend(self.constraints(&table));
        let strict = strict.then_some("STRICT");
        let options: Vec<&str> = strict.into_iter().chain(without_rowid.then_some("WITHOUT ROWID")).collect();
        let sql =
            format!("CREATE TABLE {} ({}) {}", quoted(&table.name), parts.join(", "), options.join(", "));
        self.add(sql);
        self.tables.push(table);
    }

    /// The SQL after the number's type, and the table constraints after the columns.
    fn primary_key(&mut self, number: &str, text: &str, needed: bool) -> (&'static str, Vec<String>) {
        match self.random.below(if needed { 3 } else { 6 }) {
            0 => (" NOT NULL", vec![format!("PRIMARY KEY ({text} COLLATE NOCASE, {number} DESC)")]),
            1 => ("", vec![format!("CONSTRAINT {} PRIMARY KEY ({text})", self.name("key"))]),
            2 => (" PRIMARY KEY NOT NULL", Vec::new()),
            3 => (" PRIMARY KEY AUTOINCREMENT", Vec::new()),
            4 => (" CONSTRAINT \"the key\" PRIMARY KEY DESC ON CONFLICT REPLACE", Vec::new()),
            _ => ("", Vec::new()),
        }
    }

    fn collate(&mut self) -> &'static str {
        if self.random.chance(30) { self.random.pick(COLLATIONS) } else { "" }
    }

    fn column(&mut self, table: &mut Table, strict: bool) -> String {
        let name = self.name("column");
        let of = self.random.pick(if strict { STRICT_TYPES } else { TYPES });
        if self.random.chance(25) {
            let of = if strict { "TEXT" } else { of };
            let kind = self.random.pick(&["", " VIRTUAL", " STORED"]);
            let generated = self.random.pick(&["GENERATED ALWAYS AS", "AS"]);
            let text = &table.columns[1];
            return format!("{name} {of} {generated} (upper({text}) || 'it''s, (x)'){kind}");
        }
        let not_null = self.random.maybe(25, " NOT NULL ON CONFLICT IGNORE");
        let default = self.random.pick(&[
            "",
            "",
            " DEFAULT 'it''s'",
            " DEFAULT (1 + abs(-2))",
            " DEFAULT NULL",
            " DEFAULT -5",
        ]);
        let default = if strict { "" } else { default };
        let unique = self.random.maybe(20, " UNIQUE");
        let check = if self.random.chance(20) { format!(" CHECK ({name} <> 'a, b')") } else { String::new() };
        let collate = self.collate();
        let column = format!("{name} {of}{not_null}{default}{unique}{check}{collate}");
        table.columns.push(name);
        column
    }

    /// A foreign key over `column`: to the table itself, to an existing table, or to one that never exists.
    fn foreign_key(&mut self, own: &Table, column: &str, strict: bool) -> String {
        let other = match self.random.below(5) {
            0 => own.clone(),
            1 => Table { name: "not there".to_owned(), columns: vec!["id".to_owned(), "name".to_owned()] },
            _ if self.tables.is_empty() => own.clone(),
            _ => self.random.pick(&self.tables),
        };
        let several = !strict && self.random.chance(40);
        let columns = if several { format!("{column}, {}", own.columns[1]) } else { column.to_owned() };
        let referenced = match (several, self.random.chance(70)) {
            (_, false) => String::new(),
            (true, true) => format!(" ({}, {})", other.columns[0], other.columns[1]),
            (false, true) => format!(" ({})", other.columns[0]),
        };
        let mut actions = String::new();
        for event in self.random.some(50, &["ON DELETE", "ON UPDATE"]) {
            let action = self.random.pick(&["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"]);
            actions.push_str(&format!(" {event} {action}"));
        }
        let full = self.random.maybe(10, " MATCH FULL");
        let deferrable =
            self.random.pick(&["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED", " NOT DEFERRABLE"]);
        let name = quoted(&other.name);
        format!("FOREIGN KEY ({columns}) REFERENCES {name}{referenced}{full}{actions}{deferrable}")
    }

    fn constraints(&mut self, table: &Table) -> Vec<String> {
        let (number, text) = (&table.columns[0], &table.columns[1]);
        let mut all = Vec::new();
        if self.random.chance(30) {
            all.push(format!("UNIQUE ({number}, {text} COLLATE RTRIM)"));
        }
        if self.random.chance(30) {
            let name = self.name("unique");
            all.push(format!("CONSTRAINT {name} UNIQUE ({text}, {number}) ON CONFLICT FAIL"));
        }
        if self.random.chance(40) {
            all.push(format!(
                "CONSTRAINT {} CHECK ({number} > 0 OR {text} LIKE '%''(%')",
                self.name("check")
            ));
        }
        all
    }

    /// An ALTER statement, because SQLite rewrites the stored statements for it.
    pub(super) fn changes(&mut self, table: &Table) {
        if self.random.chance(25) {
            let (name, column) = (self.table_name(table), self.name("added"));
            self.add(format!("ALTER TABLE {name} ADD COLUMN {column} INT DEFAULT 3 CHECK ({column} > 0)"));
        }
    }

    pub(super) fn indexes(&mut self, table: &Table) {
        for _ in 0..self.random.below(4) {
            let (index, name) = (self.name("index"), self.table_name(table));
            let (number, text) = (&table.columns[0], &table.columns[1]);
            let other = self.random.pick(&table.columns);
            let body = match self.random.below(4) {
                0 => format!("({number} DESC) WHERE {text} = 'it''s'"),
                1 => format!("(lower({text}) COLLATE RTRIM, {other} DESC)"),
                2 => format!("({other} COLLATE NOCASE)"),
                _ => format!("({number} + 1, {text}) WHERE {other} IS NOT NULL"),
            };
            let unique = self.random.maybe(25, "UNIQUE ");
            self.add(format!("CREATE {unique}INDEX {index} ON {name} {body}"));
        }
    }
}
