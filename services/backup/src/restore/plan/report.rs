//! A plan as clients see it.

use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_archive::manifest::SourceRecord;
use strongroom_tables::load::{Change, Comparison, Inspection, Mode, TableChanges, Wanted, WantedTable};

use crate::verification::Findings;

/// Rows that all tables of a plan name together: an answer has to stay below 4 MiB.
const MOST_EXAMPLES: usize = 1_000;
/// Warnings of one source.
const MOST_WARNINGS: usize = 100;

/// What the verification has found.
pub(super) fn verified(findings: &Findings) -> proto::RestorePlan {
    let sealed = findings.sealed_texts().counts();
    let sealed = sealed.map(|(table, column, count)| proto::SealedTexts {
        table: table.to_owned(),
        column: column.to_owned(),
        count,
    });
    proto::RestorePlan {
        levels: findings.verdict().levels.clone(),
        values: findings.verdict().values,
        values_undecryptable: findings.closed_values(),
        sealed_texts: sealed.collect(),
        ..proto::RestorePlan::default()
    }
}

/// One source.
pub(super) fn source(
    record: &SourceRecord,
    wanted: &Wanted,
    inspection: &Inspection,
    comparison: &Comparison,
) -> proto::SourcePlan {
    let mut examples = MOST_EXAMPLES;
    let tables = wanted.tables.iter().enumerate().map(|(at, table)| {
        let creates = inspection.creates.contains(&table.schema.name);
        let changes = comparison.tables.get(at).cloned();
        let changes = changes.unwrap_or_else(|| uncompared(wanted.mode, table));
        table_plan(table, creates, changes, &mut examples)
    });
    let warnings = inspection.warnings.iter().chain(&comparison.warnings);
    proto::SourcePlan {
        source: record.name.clone(),
        kind: record.kind.clone(),
        engine: inspection.engine.clone(),
        tables: tables.collect(),
        warnings: warnings.take(MOST_WARNINGS).cloned().collect(),
        writers_wait: duration(comparison.writers_wait),
        readers_wait: inspection.pause.readers,
        readers_wait_remedy: inspection.pause.remedy.clone(),
        needed_bytes: i64::try_from(inspection.needed_bytes).unwrap_or(i64::MAX),
        fingerprint: inspection.fingerprint.clone(),
    }
}

/// Into empty tables, every row is created. Of a source that was refused nothing is known.
fn uncompared(mode: Mode, table: &WantedTable) -> TableChanges {
    let created = if mode == Mode::IntoEmpty { table.rows } else { 0 };
    TableChanges { created, ..TableChanges::default() }
}

fn table_plan(
    table: &WantedTable,
    creates_table: bool,
    changes: TableChanges,
    left: &mut usize,
) -> proto::TablePlan {
    let examples: Vec<proto::RowExample> = changes
        .examples
        .into_iter()
        .take(*left)
        .map(|example| proto::RowExample { change: change(example.change).into(), key: example.key })
        .collect();
    *left -= examples.len();
    proto::TablePlan {
        table: table.schema.name.clone(),
        creates_table,
        rows: signed(table.rows),
        created: signed(changes.created),
        changed: signed(changes.changed),
        deleted: signed(changes.deleted),
        kept: signed(changes.kept),
        conflicts: signed(changes.conflicts),
        examples,
    }
}

fn change(change: Change) -> proto::RowChange {
    match change {
        Change::Created => proto::RowChange::Created,
        Change::Changed => proto::RowChange::Changed,
        Change::Deleted => proto::RowChange::Deleted,
        Change::Conflict => proto::RowChange::Conflict,
    }
}

fn duration(time: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(time).ok()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
