//! The result of an import, or of its dry run, for its caller and the audit log.

use strongroom_api::backup::v1 as proto;
use strongroom_tables::load::{Change, Comparison, Inspection, Refusal, Swapped, TableChanges, Wanted};

use crate::error::{Error, Result};
use crate::incoming::shown;
use crate::operation::{Metadata, put};

/// Maximum number of example rows of all tables together: an answer has to stay below 4 MiB.
const MOST_EXAMPLES: usize = 1_000;
/// Maximum number of refusals, of warnings, and of tables that the audit log names.
const MOST: usize = 100;
/// An answer in progress.
pub(super) struct Report(proto::ImportTablesResponse);

impl Report {
    /// A report that contains only the wanted tables.
    pub(super) fn new(id: &str, is_dry: bool, wanted: &Wanted) -> Self {
        let table = |table: &strongroom_tables::load::WantedTable| proto::ImportedTable {
            table: table.schema.name.clone(),
            rows: signed(table.rows),
            ..proto::ImportedTable::default()
        };
        Self(proto::ImportTablesResponse {
            import_id: id.to_owned(),
            dry_run: is_dry,
            source: wanted.record.name.clone(),
            tables: wanted.tables.iter().map(table).collect(),
            ..proto::ImportTablesResponse::default()
        })
    }

    pub(super) fn is_refused(&self) -> bool {
        !self.0.refusals.is_empty()
    }

    /// Number of rows in the document.
    pub(super) fn rows(&self) -> i64 {
        self.0.tables.iter().map(|table| table.rows).sum()
    }

    pub(super) fn inspected(&mut self, inspection: &Inspection) {
        self.0.warnings.extend(inspection.warnings.iter().take(MOST).map(|warning| shown(warning)));
        if inspection.pause.readers {
            let remedy = match inspection.pause.remedy.as_str() {
                "" => String::new(),
                remedy => format!("; this avoids it: {remedy}"),
            };
            self.0.warnings.push(format!("readers of the tables wait while rows are added{remedy}"));
        }
        self.refuse(&inspection.refusals);
    }

    pub(super) fn compared(&mut self, comparison: &Comparison) {
        self.count(&comparison.tables);
        let mut left = MOST_EXAMPLES;
        for (table, changes) in self.0.tables.iter_mut().zip(&comparison.tables) {
            table.examples = examples(changes, left);
            left -= table.examples.len();
        }
        self.refuse(&comparison.refusals);
    }

    /// Replaces the counts by those made under the locks.
    pub(super) fn swapped(&mut self, swapped: &Swapped) {
        self.count(&swapped.tables);
    }

    /// Each row of the document belongs to one of three counts; other rows of the table do not matter.
    fn count(&mut self, all: &[TableChanges]) {
        for (table, changes) in self.0.tables.iter_mut().zip(all) {
            table.created = signed(changes.created);
            table.conflicts = signed(changes.conflicts);
            table.kept = table.rows - table.created - table.conflicts;
        }
    }

    fn refuse(&mut self, refusals: &[Refusal]) {
        for refusal in refusals.iter().take(MOST) {
            self.0.refusals.push(proto::RestoreRefusal {
                reason: refusal.reason().to_owned(),
                message: shown(&refusal.to_string()),
                source: self.0.source.clone(),
                table: refusal.table().to_owned(),
            });
        }
    }

    /// Converts the database's objections to the rows into a refusal.
    ///
    /// # Errors
    /// Other errors, unchanged.
    pub(super) fn refused_by(&mut self, error: Error) -> Result<()> {
        use strongroom_tables::Error as Tables;
        match &error {
            Error::Tables(Tables::Refused { refusals, .. }) => self.refuse(refusals),
            Error::Tables(Tables::Value { table, .. } | Tables::Constraint { table, .. }) => {
                self.0.refusals.push(proto::RestoreRefusal {
                    reason: error.reason().to_owned(),
                    message: shown(&error.to_string()),
                    source: self.0.source.clone(),
                    table: table.clone(),
                });
            }
            _ => return Err(error),
        }
        Ok(())
    }

    /// Metadata of the closing event, in addition to that known at the beginning.
    pub(super) fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new();
        let sum = |of: fn(&proto::ImportedTable) -> i64| self.0.tables.iter().map(of).sum::<i64>();
        put(&mut metadata, "source", self.0.source.as_str());
        let names = self.0.tables.iter().map(|table| table.table.clone()).take(MOST);
        put(&mut metadata, "tables", names.collect::<Vec<_>>());
        put(&mut metadata, "rows_created", sum(|table| table.created));
        put(&mut metadata, "rows_kept", sum(|table| table.kept));
        put(&mut metadata, "conflicts", sum(|table| table.conflicts));
        if self.is_refused() {
            let reasons = self.0.refusals.iter().map(|refusal| refusal.reason.clone()).take(20);
            put(&mut metadata, "refusals", reasons.collect::<Vec<_>>());
        }
        metadata
    }

    /// If the import was refused, nothing was done, so the counts are 0.
    pub(super) fn into_message(mut self) -> proto::ImportTablesResponse {
        if self.is_refused() {
            for table in &mut self.0.tables {
                (table.created, table.kept, table.conflicts) = (0, 0, 0);
                table.examples.clear();
            }
        }
        self.0
    }
}

fn examples(changes: &TableChanges, most: usize) -> Vec<proto::RowExample> {
    let example = |example: &strongroom_tables::load::Example| {
        let change = match example.change {
            Change::Created => proto::RowChange::Created,
            Change::Changed => proto::RowChange::Changed,
            Change::Deleted => proto::RowChange::Deleted,
            Change::Conflict => proto::RowChange::Conflict,
        };
        proto::RowExample { change: change.into(), key: example.key.clone() }
    };
    changes.examples.iter().take(most).map(example).collect()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
