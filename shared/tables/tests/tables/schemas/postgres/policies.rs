//! Row security.

use super::{Draft, Table};

impl Draft {
    pub(super) fn some_policies(&mut self) {
        let role = self.role.clone();
        self.add(format!("CREATE ROLE {role}"));
        for table in self.tables.clone() {
            if table.is_partition || !self.random.chance(40) {
                continue;
            }
            for _ in 0..self.random.below(3) {
                self.policy(&table);
            }
            for state in self.random.some(50, &["ENABLE", "FORCE"]) {
                self.add(format!("ALTER TABLE {} {state} ROW LEVEL SECURITY", table.sql));
            }
        }
    }

    fn policy(&mut self, table: &Table) {
        let name = self.name("policy");
        let kind = self.random.pick(&["", " AS PERMISSIVE", " AS RESTRICTIVE"]);
        let command = self.random.pick(&["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]);
        let roles =
            self.random.some(50, &[self.role.clone(), "pg_monitor".to_owned(), "CURRENT_USER".to_owned()]);
        let roles = if roles.is_empty() { String::new() } else { format!(" TO {}", roles.join(", ")) };
        let using = format!(" USING ({} > 0 AND CURRENT_USER = 'it''s')", table.number);
        let check = format!(" WITH CHECK ({} IS NOT NULL)", table.text);
        let conditions = match command {
            "INSERT" => check,
            "SELECT" | "DELETE" => using,
            _ => self.random.pick(&[using.clone(), format!("{using}{check}")]),
        };
        self.add(format!("CREATE POLICY {name} ON {}{kind} FOR {command}{roles}{conditions}", table.sql));
    }
}
