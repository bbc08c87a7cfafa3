//! Triggers and rules, in every state.

use super::{Draft, Table};

const STATES: &[&str] = &["", "", "DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS"];

impl Draft {
    pub(super) fn some_triggers(&mut self) {
        for table in self.tables.clone() {
            for _ in 0..self.random.below(3) {
                self.trigger(&table);
            }
            if !table.is_partition && self.random.chance(30) {
                self.rule(&table);
            }
        }
    }

    fn trigger(&mut self, table: &Table) {
        let (name, function) = (self.name("trigger"), self.function.clone());
        let (sql, number, text) = (&table.sql, &table.number, &table.text);
        let body = match self.random.below(6) {
            0 => format!(
                "TRIGGER {name} BEFORE INSERT OR UPDATE OF {text}, {number} ON {sql} FOR EACH ROW WHEN (new.{number} > 1)"
            ),
            1 => format!(
                "TRIGGER {name} AFTER DELETE ON {sql} FOR EACH ROW WHEN (old.{text} IS DISTINCT FROM 'it''s')"
            ),
            2 => format!("TRIGGER {name} AFTER INSERT OR DELETE OR TRUNCATE ON {sql} FOR EACH STATEMENT"),
            3 => format!(
                "TRIGGER {name} AFTER UPDATE ON {sql} REFERENCING OLD TABLE AS was NEW TABLE AS {} FOR EACH STATEMENT",
                self.name("rows")
            ),
            4 => format!(
                "CONSTRAINT TRIGGER {name} AFTER INSERT ON {sql} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            ),
            _ => format!("TRIGGER {name} BEFORE UPDATE ON {sql} FOR EACH STATEMENT"),
        };
        let arguments = self.random.maybe(30, "'it''s', 'x\\y'");
        self.add(format!("CREATE {body} EXECUTE FUNCTION {function}({arguments})"));
        self.state(sql, "TRIGGER", &name);
    }

    fn state(&mut self, table: &str, what: &str, name: &str) {
        let state = self.random.pick(STATES);
        if !state.is_empty() {
            self.add(format!("ALTER TABLE {table} {state} {what} {name}"));
        }
    }

    fn rule(&mut self, table: &Table) {
        let name = self.name("rule");
        let (sql, number) = (&table.sql, &table.number);
        let body = match self.random.below(4) {
            0 => format!("ON DELETE TO {sql} WHERE old.{number} = 3 DO INSTEAD NOTHING"),
            1 => format!("ON UPDATE TO {sql} DO ALSO NOTIFY changed"),
            2 => format!(
                "ON INSERT TO {sql} WHERE new.{} = 'it''s' DO ALSO (DELETE FROM {sql} WHERE {number} = 1; SELECT 2)",
                table.text
            ),
            _ => format!("ON UPDATE TO {sql} DO INSTEAD DELETE FROM {sql} WHERE {number} = old.{number}"),
        };
        self.add(format!("CREATE RULE {name} AS {body}"));
        self.state(sql, "RULE", &name);
    }
}
