//! Random schemas for SQLite, as statements that it accepts.

mod catalogue;
mod tables;
mod views;

pub use catalogue::facts;

use strongroom_fuzz::Random;

use super::names::{Names, quoted};

/// The statements of one schema, and the objects that the next statement can refer to.
pub struct Draft {
    random: Random,
    names: Names,
    pub statements: Vec<String>,
    tables: Vec<Table>,
}

#[derive(Clone)]
struct Table {
    /// The unquoted name.
    name: String,
    /// Stored columns, quoted: the first is a number, the second a text.
    columns: Vec<String>,
}

impl Draft {
    pub fn new(seed: u64) -> Self {
        let mut draft = Self {
            random: Random::new(seed),
            names: Names::default(),
            statements: Vec::new(),
            tables: Vec::new(),
        };
        for _ in 0..2 + draft.random.below(5) {
            draft.table();
        }
        for table in draft.tables.clone() {
            draft.changes(&table);
            draft.indexes(&table);
            draft.triggers(&table);
        }
        draft.views();
        draft
    }

    fn add(&mut self, statement: impl Into<String>) {
        self.statements.push(statement.into());
    }

    /// A new name, quoted.
    fn name(&mut self, what: &str) -> String {
        quoted(&self.names.next(&mut self.random, what))
    }

    /// The name of a table in a statement; SQLite ignores the case of its letters.
    fn table_name(&mut self, table: &Table) -> String {
        quoted(&if self.random.chance(25) { table.name.to_ascii_uppercase() } else { table.name.clone() })
    }
}
