//! The report of a restore: counts and names for its answers, and the events that name each touched row, so that a
//! verification of the log knows the last change of every row.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::store::{CHANGE, NewEvent};

/// Maximum number of kept or touched rows that an answer names.
const MAX_NAMED: usize = 100;
/// Maximum number of rows that one event names.
const ROWS_OF_EVENT: usize = 500;
/// The event that names rows.
pub(crate) const ROWS_EVENT: &str = "restore.rows";

/// The change to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Touch {
    Created,
    Changed,
    Deleted,
}

/// Counts for one table of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableReport {
    pub(crate) name: String,
    /// Staged rows.
    pub(crate) rows: i64,
    pub(crate) created: i64,
    pub(crate) changed: i64,
    pub(crate) deleted: i64,
    /// Rows that differ and stay unchanged, fully or in part.
    pub(crate) kept: i64,
    /// Created rows that grant nothing until they are reissued.
    pub(crate) stale: i64,
    pub(crate) examples: Vec<Touched>,
}

/// A touched row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Touched {
    pub(crate) touch: Touch,
    pub(crate) row: RowName,
}

/// Identification of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowName {
    pub(crate) id: String,
    /// Display name; empty if it has none.
    pub(crate) name: String,
}

/// A row that stays unchanged, fully or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) table: String,
    pub(crate) row: RowName,
    pub(crate) reason: String,
}

impl RowName {
    /// A row without a display name.
    pub(crate) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), name: String::new() }
    }
}

/// The changes that a restore made or would make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) tables: Vec<TableReport>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) kept_total: i64,
    pub(crate) stale_tokens: Vec<String>,
    pub(crate) stale_total: i64,
    /// The deployment that the vault adopts.
    pub(crate) adopted: Option<String>,
}

impl Report {
    pub(crate) fn table(&mut self, name: &str) -> &mut TableReport {
        let at = self.tables.iter().position(|table| table.name == name).unwrap_or_else(|| {
            self.tables.push(TableReport { name: name.to_owned(), ..TableReport::default() });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    pub(crate) fn touched(&mut self, table: &str, touch: Touch, row: RowName) {
        let report = self.table(table);
        match touch {
            Touch::Created => report.created += 1,
            Touch::Changed => report.changed += 1,
            Touch::Deleted => report.deleted += 1,
        }
        // Somebody must look at deleted rows, so they take precedence in the examples.
        if report.examples.len() < MAX_NAMED {
            report.examples.push(Touched { touch, row });
        } else if touch == Touch::Deleted
            && let Some(other) = report.examples.iter_mut().find(|other| other.touch != Touch::Deleted)
        {
            *other = Touched { touch, row };
        }
    }

    pub(crate) fn kept(&mut self, table: &str, row: &RowName, reasons: &[&'static str]) {
        if reasons.is_empty() {
            return;
        }
        self.table(table).kept += 1;
        for reason in reasons {
            self.kept_total += 1;
            if self.kept.len() < MAX_NAMED {
                let (table, reason) = (table.to_owned(), (*reason).to_owned());
                self.kept.push(Kept { table, row: row.clone(), reason });
            }
        }
    }

    pub(crate) fn stale(&mut self, table: &str, id: &str) {
        self.table(table).stale += 1;
        self.stale_total += 1;
        if self.stale_tokens.len() < MAX_NAMED {
            self.stale_tokens.push(id.to_owned());
        }
    }

    /// `event` with the report in its metadata.
    pub(crate) fn told_by(&self, event: &NewEvent) -> NewEvent {
        let mut metadata: Map<String, Value> = serde_json::from_str(&event.metadata).unwrap_or_default();
        let counts = |table: &TableReport| {
            let TableReport { created, changed, deleted, kept, stale, .. } = table;
            (
                table.name.clone(),
                json!({"created": created, "changed": changed, "deleted": deleted, "kept": kept, "stale": stale}),
            )
        };
        metadata.insert("tables".into(), self.tables.iter().map(counts).collect::<Map<_, _>>().into());
        metadata.insert("kept".into(), json!(self.kept));
        metadata.insert("kept_total".into(), self.kept_total.into());
        metadata.insert("stale_tokens".into(), self.stale_total.into());
        if let Some(adopted) = &self.adopted {
            metadata.insert("adopted_deployment".into(), adopted.as_str().into());
        }
        NewEvent { metadata: Value::Object(metadata).to_string(), ..event.clone() }
    }
}

/// The events that name the rows of a restore, in order.
pub(crate) struct RowEvents {
    /// The event whose actor, time and target they share.
    base: NewEvent,
    table: &'static str,
    rows: Map<String, Value>,
    count: usize,
    /// A row has the current change id, so this event must be written even if it names no rows.
    is_due: bool,
    events: Vec<NewEvent>,
    change_id: String,
}

impl RowEvents {
    /// Begins the `restore.rows` events that accompany `base`, the event of a restore or of its rollback.
    pub(crate) fn of(base: &NewEvent, change_id: String) -> Self {
        let base = NewEvent { event: ROWS_EVENT.to_owned(), operation_id: None, ..base.clone() };
        Self { base, table: "", rows: Map::new(), count: 0, is_due: false, events: Vec::new(), change_id }
    }

    /// The change id for the next row of `table`, which [`Self::add`] names.
    pub(crate) fn change_id(&mut self, table: &'static str) -> String {
        if self.table != table || self.count >= ROWS_OF_EVENT {
            self.close();
            self.table = table;
        }
        self.is_due = true;
        format!("{}.{}", self.change_id, self.events.len())
    }

    /// Adds the name of a row of the table.
    pub(crate) fn add(&mut self, touch: Touch, name: &str) {
        let list = match touch {
            Touch::Created => "created",
            Touch::Changed => "changed",
            Touch::Deleted => "deleted",
        };
        if let Value::Array(names) = self.rows.entry(list).or_insert_with(|| json!([])) {
            names.push(name.into());
        }
        self.count += 1;
    }

    /// All events.
    pub(crate) fn finish(mut self) -> Vec<NewEvent> {
        self.close();
        self.events
    }

    fn close(&mut self) {
        if !std::mem::take(&mut self.is_due) {
            return;
        }
        let mut metadata = std::mem::take(&mut self.rows);
        metadata.insert(CHANGE.into(), format!("{}.{}", self.change_id, self.events.len()).into());
        metadata.insert("table".into(), self.table.into());
        self.events.push(NewEvent { metadata: Value::Object(metadata).to_string(), ..self.base.clone() });
        self.count = 0;
    }
}
