//! Checks whether the rows that a table refers to are in the archive too.
//!
//! The values of both sides are remembered as hashes, in bounded memory. References between tables that are
//! too large for it are not checked, nor are those whose values the database can consider equal although
//! their texts differ.

mod plan;
mod values;

use std::fmt;
use std::hash::RandomState;
use std::io::{Read, Seek};

use serde_json::value::RawValue;

use crate::error::Result;
use crate::quote::Quoted;
use crate::reader::ArchiveReader;
use crate::rows::schema::TableSchema;
use plan::Plan;
use values::{Hashes, Key};

/// All references of an archive, as its rows are read.
#[derive(Default)]
pub struct References {
    plan: Plan,
    /// One for each side of the plan: the referring values, or the existing ones.
    sides: Vec<Hashes>,
    hasher: RandomState,
    /// Number of values remembered, over all sides.
    remembered: usize,
    most: usize,
}

/// The result of checking references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReferenceReport {
    /// Number of references whose values were all looked up.
    pub checked: u64,
    /// Number of references that were not checked: because memory was short, because their values cannot be
    /// compared as texts, or because rows of the other table were left out on purpose.
    pub unchecked: u64,
    /// References with values that are in no row of the other table.
    pub dangling: Vec<Dangling>,
}

/// A reference to missing rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// The referring table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub references: String,
    /// Number of distinct values that are in none of its rows.
    pub values: u64,
    /// Whether the database refuses such rows. SQLite does not, unless its application enables checks.
    pub is_enforced: bool,
}

impl fmt::Display for Dangling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, columns, references, values, .. } = self;
        let columns: Vec<String> = columns.iter().map(|column| Quoted(column).to_string()).collect();
        let [table, references] = [table, references].map(|name| Quoted(name));
        let columns = columns.join(", ");
        let (noun, verb) = if *values == 1 { ("value", "is") } else { ("values", "are") };
        write!(formatter, "{values} {noun} of {columns} in {table} {verb} in no row of {references}")
    }
}

impl References {
    /// Reads the references from the schema entries of `archive`. An unreadable schema entry counts as having
    /// none. At most `most` values are remembered at once, 8 to 16 bytes each.
    ///
    /// # Errors
    /// Those of `check`, which is called before each entry.
    pub fn plan<R: Read + Seek>(
        archive: &mut ArchiveReader<R>,
        most: usize,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        Ok(Self::create(Plan::of(archive, check)?, most))
    }

    fn create(plan: Plan, most: usize) -> Self {
        let sides = plan.sides.iter().map(|_| Hashes::default()).collect();
        Self { plan, sides, hasher: RandomState::new(), remembered: 0, most }
    }

    /// Adds a row of a table, in column order. Returns whether it was relevant to any reference.
    pub fn add(&mut self, schema: &TableSchema, values: &[&RawValue]) -> bool {
        let Some(sides) = self.plan.by_table.get(&schema.name) else { return false };
        let mut is_full = false;
        for at in sides {
            match values::key(schema.engine, &self.plan.sides[*at], values, &self.hasher) {
                Key::Null => {}
                Key::Hash(hash) => self.remembered += self.sides[*at].add(hash),
                Key::TooLong => self.remembered -= self.sides[*at].give_up(),
            }
            is_full |= self.remembered > self.most;
        }
        if is_full {
            self.make_room();
        }
        true
    }

    /// Not all rows of `table` were read: its references cannot be judged.
    pub fn give_up(&mut self, table: &str) {
        for at in self.plan.by_table.get(table).into_iter().flatten() {
            self.remembered -= self.sides[*at].give_up();
        }
    }

    /// Removes duplicates, then gives up the largest side if necessary.
    fn make_room(&mut self) {
        self.remembered = self.sides.iter_mut().map(Hashes::sort).sum();
        while self.remembered > self.most / 2 {
            let Some(largest) = self.sides.iter_mut().max_by_key(|side| side.len()) else { return };
            self.remembered -= largest.give_up();
        }
    }

    /// All rows were read.
    #[must_use]
    pub fn finish(mut self) -> ReferenceReport {
        for side in &mut self.sides {
            side.sort();
        }
        let mut report = ReferenceReport { unchecked: self.plan.unchecked, ..ReferenceReport::default() };
        for reference in &self.plan.references {
            let Some(missing) = self.sides[reference.from].missing_in(&self.sides[reference.to]) else {
                report.unchecked += 1;
                continue;
            };
            report.checked += 1;
            if missing > 0 {
                report.dangling.push(Dangling { values: missing, ..reference.described.clone() });
            }
        }
        report
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
