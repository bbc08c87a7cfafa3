//! Triggers and views.

use super::{Draft, Table};
use crate::schemas::names::quoted;

impl Draft {
    pub(super) fn triggers(&mut self, table: &Table) {
        for _ in 0..self.random.below(3) {
            let (trigger, name) = (self.name("trigger"), self.table_name(table));
            let (number, text) = (&table.columns[0], &table.columns[1]);
            let when = self.random.pick(&["", " BEFORE", " AFTER"]);
            let event = match self.random.below(4) {
                0 => format!("UPDATE OF {text}, {number}"),
                1 => "UPDATE".to_owned(),
                2 => "INSERT".to_owned(),
                _ => "DELETE".to_owned(),
            };
            let row = if event == "DELETE" { "old" } else { "new" };
            let condition =
                if self.random.chance(40) { format!(" WHEN {row}.{text} <> 'a; b'") } else { String::new() };
            let own = quoted(&table.name);
            let body = self.random.pick(&[
                format!("UPDATE {own} SET {text} = 'it''s; END' WHERE {number} = {row}.{number};"),
                "SELECT RAISE(ABORT, 'no; -- never'); SELECT 1;".to_owned(),
                format!("DELETE FROM {own} WHERE {number} < {row}.{number};"),
            ]);
            self.add(format!(
                "CREATE TRIGGER {trigger}{when} {event} ON {name} FOR EACH ROW{condition} BEGIN {body} END"
            ));
        }
    }

    pub(super) fn views(&mut self) {
        let mut sources = self.tables.clone();
        for _ in 0..self.random.below(5) {
            let name = self.names.next(&mut self.random, "view");
            let view = Table { name, columns: vec![self.name("number"), self.name("text")] };
            let (one, other) = (self.random.pick(&sources), self.random.pick(&sources));
            let (a, b) = (quoted(&one.name), quoted(&other.name));
            let query = match self.random.below(3) {
                0 => format!("SELECT a.{}, b.{} FROM {a} AS a, {b} AS b", one.columns[0], other.columns[1]),
                1 => format!("SELECT max({}), 'it''s' FROM {a} -- the end", one.columns[0]),
                _ => format!(
                    "SELECT {}, {} FROM {a} WHERE 1 IN (SELECT 1 FROM {b})",
                    one.columns[0], one.columns[1]
                ),
            };
            let columns = view.columns.join(", ");
            self.add(format!("CREATE VIEW {} ({columns}) AS {query}", quoted(&view.name)));
            if self.random.chance(50) {
                let (trigger, name) = (self.name("trigger"), self.table_name(&view));
                let event = self.random.pick(&["INSERT", "DELETE", "UPDATE"]);
                self.add(format!(
                    "CREATE TRIGGER {trigger} INSTEAD OF {event} ON {name} BEGIN SELECT 1; END"
                ));
            }
            sources.extend([view.clone(), view]);
        }
    }
}
