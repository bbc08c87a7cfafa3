//! Foreign keys: between any tables, to the same table, in circles.

use super::keys::family;
use super::{Draft, Table};

impl Draft {
    pub(super) fn some_foreign_keys(&mut self) {
        for _ in 0..1 + self.random.below(2 * self.tables.len()) {
            let from = self.random.pick(&self.tables);
            let to = self.random.pick(&self.tables);
            let refused = to.unlogged && !from.unlogged
                || family(&from, &to) && from.sql != to.sql
                || from.is_partition && from.sql == to.sql;
            if refused {
                continue;
            }
            match &to.period {
                Some((number, range)) => self.period_key(&from, &to, number, range),
                None => self.foreign_key(&from, &to),
            }
        }
    }

    /// Most keys get added columns; a partition cannot have columns of its own, so it uses existing ones.
    fn foreign_key(&mut self, from: &Table, to: &Table) {
        if to.keys.is_empty() {
            return;
        }
        let key = self.random.pick(&to.keys);
        let own = from.is_partition || self.random.chance(20);
        let columns: Vec<String> = key
            .iter()
            .map(|(_, of)| match *of {
                "integer" if own => from.number.clone(),
                "text" if own => from.text.clone(),
                of => self.added_column(from, of),
            })
            .collect();
        let referenced: Vec<String> = key.iter().map(|(column, _)| column.clone()).collect();
        let full = self.random.maybe(25, " MATCH FULL");
        let actions = self.actions(&columns);
        let deferrable = match self.random.below(6) {
            0 => " DEFERRABLE",
            1 => " DEFERRABLE INITIALLY DEFERRED",
            _ => "",
        };
        let state = match self.random.below(6) {
            0 if !from.is_partitioned || self.version >= 18 => " NOT VALID",
            // PostgreSQL may merge a partition's own key with its parent's; both must then be enforced, or neither.
            1 if self.version >= 18 && !own => " NOT ENFORCED",
            _ => "",
        };
        let (columns, referenced) = (columns.join(", "), referenced.join(", "));
        let body = format!(
            "FOREIGN KEY ({columns}) REFERENCES {} ({referenced}){full}{actions}{deferrable}{state}",
            to.sql
        );
        self.constraint(from, &body);
    }

    fn added_column(&mut self, table: &Table, of: &str) -> String {
        let column = self.name("reference");
        self.add(format!("ALTER TABLE {} ADD COLUMN {column} {of}", table.sql));
        column
    }

    fn actions(&mut self, columns: &[String]) -> String {
        let some = self.random.some(60, columns);
        let some = if some.is_empty() { String::new() } else { format!(" ({})", some.join(", ")) };
        let on_delete = match self.random.below(8) {
            0 => " ON DELETE CASCADE".to_owned(),
            1 => " ON DELETE SET NULL".to_owned(),
            2 => format!(" ON DELETE SET NULL{some}"),
            3 => " ON DELETE SET DEFAULT".to_owned(),
            4 => format!(" ON DELETE SET DEFAULT{some}"),
            5 => " ON DELETE RESTRICT".to_owned(),
            6 => " ON DELETE NO ACTION".to_owned(),
            _ => String::new(),
        };
        let updates = [
            "",
            " ON UPDATE CASCADE",
            " ON UPDATE SET NULL",
            " ON UPDATE SET DEFAULT",
            " ON UPDATE RESTRICT",
        ];
        format!("{}{on_delete}", self.random.pick(&updates))
    }

    fn period_key(&mut self, from: &Table, to: &Table, number: &str, range: &str) {
        if from.is_partition {
            return;
        }
        let own = (self.added_column(from, "integer"), self.added_column(from, "int4range"));
        let body = format!(
            "FOREIGN KEY ({}, PERIOD {}) REFERENCES {} ({number}, PERIOD {range})",
            own.0, own.1, to.sql
        );
        self.constraint(from, &body);
    }
}
