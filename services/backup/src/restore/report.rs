//! A plan in the form for clients.

use std::sync::PoisonError;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::source::v1::touched_row::Change as Touch;
use strongroom_api::source::v1::{KeptRow, Stage, TouchedRow};
use strongroom_archive::manifest::SourceRecord;
use strongroom_runtime::status::reason_of;
use strongroom_tables::load::{
    Change, Comparison, Example, Inspection, Mode, Refusal, TableChanges, Wanted, WantedTable,
};

use super::loading::Shared;
use super::record::Progress;
use crate::error::{Error, RestoreError};
use crate::sources::{FilesInspection, WantedFiles};
use crate::verification::Findings;

/// Maximum number of example rows of all tables of a plan: an answer has to stay below 4 MiB.
const MOST_EXAMPLES: usize = 1_000;
/// Maximum number of warnings of one source.
const MOST_WARNINGS: usize = 100;

/// The findings of the verification.
pub(super) fn verified(findings: &Findings) -> proto::RestorePlan {
    proto::RestorePlan { levels: findings.verdict().levels.clone(), ..proto::RestorePlan::default() }
}

/// The findings for the tables to restore.
pub(super) fn values(plan: &mut proto::RestorePlan, findings: &Findings, has: impl Fn(&str) -> bool + Copy) {
    let sealed = findings.sealed_texts().counts().filter(|(table, ..)| has(table));
    let sealed = sealed.map(|(table, column, count)| proto::SealedTexts {
        table: table.to_owned(),
        column: column.to_owned(),
        count,
    });
    plan.sealed_texts = sealed.collect();
    (plan.values, plan.values_undecryptable) = findings.values_in(has);
}

/// A database.
pub(super) fn database(
    record: &SourceRecord,
    wanted: &Wanted,
    inspection: &Inspection,
    comparison: Option<&Comparison>,
) -> proto::SourcePlan {
    let mut examples = MOST_EXAMPLES;
    let tables = wanted.tables.iter().enumerate().map(|(at, table)| {
        let creates = inspection.creates.contains(&table.schema.name);
        let changes = comparison.and_then(|found| found.tables.get(at).cloned());
        let changes = changes.unwrap_or_else(|| uncompared(wanted.mode, table));
        table_plan(table, creates, changes, &mut examples)
    });
    let compared = comparison.map(|found| found.warnings.as_slice()).unwrap_or_default();
    let warnings = inspection.warnings.iter().chain(compared);
    proto::SourcePlan {
        source: record.name.clone(),
        kind: record.kind.clone(),
        engine: inspection.engine.clone(),
        tables: tables.collect(),
        warnings: warnings.take(MOST_WARNINGS).cloned().collect(),
        // Empty tables are locked while their rows are loaded, and a refused source was not compared.
        writers_wait: comparison.and_then(|found| duration(found.writers_wait)),
        readers_wait: inspection.pause.readers,
        readers_wait_remedy: inspection.pause.remedy.clone(),
        needed_bytes: i64::try_from(inspection.needed_bytes).unwrap_or(i64::MAX),
        fingerprint: inspection.fingerprint.clone(),
        files: None,
    }
}

/// A service whose stage was counted. It accepts rows of the tables `taken`, and keeps its own rows of `kept_own`.
pub(super) fn service(
    record: &SourceRecord,
    taken: &[&WantedTable],
    stage: &Stage,
    kept_own: &[&str],
) -> proto::SourcePlan {
    let tables = taken.iter().map(|table| {
        let found = stage.tables.iter().find(|staged| staged.name == table.schema.table);
        let found = found.cloned().unwrap_or_default();
        proto::TablePlan {
            table: table.schema.name.clone(),
            rows: signed(table.rows),
            created: found.created,
            changed: found.changed,
            deleted: found.deleted,
            conflicts: found.kept,
            stale: found.stale,
            examples: found.examples.iter().take(MOST_WARNINGS).map(touched).collect(),
            ..proto::TablePlan::default()
        }
    });
    // The service decides how many it names.
    let mut warnings: Vec<String> = stage.warnings.iter().take(MOST_WARNINGS).cloned().collect();
    if !kept_own.is_empty() {
        let names = kept_own.join(", ");
        warnings.push(format!("{} keeps its own {names}: the archive's are not loaded", record.name));
    }
    let named = stage.kept.len().min(MOST_WARNINGS);
    let unnamed = stage.kept_total.saturating_sub(signed(named as u64));
    warnings.extend(stage.kept.iter().take(MOST_WARNINGS).map(kept));
    if unnamed > 0 {
        warnings.push(format!("and {unnamed} more such notes"));
    }
    proto::SourcePlan {
        source: record.name.clone(),
        kind: record.kind.clone(),
        engine: record.engine.clone(),
        tables: tables.collect(),
        warnings,
        ..proto::SourcePlan::default()
    }
}

fn kept(row: &KeptRow) -> String {
    let KeptRow { table, id, reason, name } = row;
    let name = if name.is_empty() { id.clone() } else { format!("{name} ({id})") };
    let why = match reason.as_str() {
        "DELETED_SINCE" => "stays deleted: it was deleted after the archive was made",
        "DEACTIVATED_SINCE" => "stays inactive: it was deactivated after the archive was made",
        "ROTATED_SINCE" => "keeps its secret: it was rotated after the archive was made",
        "EXPIRES_EARLIER" => "keeps its earlier expiry",
        "REVOKED_SINCE" => "stays revoked: it was revoked after the archive was made",
        "REVOKED_IN_ARCHIVE" => "is revoked in the archive but not here: revoke it, unless somebody needs it",
        "TOKEN_LIVE" => "stays as it is: a live token is never replaced",
        "CREDENTIAL_GONE" => "comes back without a credential that no longer exists",
        "EXISTS" => "stays as it is: it already exists",
        other => return format!("{table}: {name} stays as it is: {other}"),
    };
    format!("{table}: {name} {why} ({reason})")
}

fn touched(row: &TouchedRow) -> proto::RowExample {
    let change = match row.change() {
        Touch::Changed => proto::RowChange::Changed,
        Touch::Deleted => proto::RowChange::Deleted,
        Touch::Created | Touch::Unspecified => proto::RowChange::Created,
    };
    let key = if row.name.is_empty() { vec![&row.id] } else { vec![&row.id, &row.name] };
    proto::RowExample { change: change.into(), key: serde_json::json!(key).to_string() }
}

/// A set of files.
pub(super) fn files(
    record: &SourceRecord,
    wanted: &WantedFiles,
    inspection: &FilesInspection,
) -> proto::SourcePlan {
    let changes = &inspection.changes;
    let set = proto::FileSetPlan {
        files: signed(wanted.files.len() as u64),
        created: signed(changes.created),
        changed: signed(changes.changed),
        deleted: signed(changes.deleted),
        kept: signed(changes.kept),
        conflicts: signed(changes.conflicts),
        examples: changes.examples.iter().cloned().map(example).collect(),
    };
    proto::SourcePlan {
        source: record.name.clone(),
        kind: record.kind.clone(),
        engine: inspection.engine.clone(),
        warnings: inspection.warnings.iter().take(MOST_WARNINGS).cloned().collect(),
        needed_bytes: signed(inspection.needed_bytes),
        fingerprint: inspection.fingerprint.clone(),
        files: Some(set),
        ..proto::SourcePlan::default()
    }
}

/// A refusal of a database.
pub(super) fn table_refusal(source: &str, refusal: &Refusal) -> proto::RestoreRefusal {
    refused(source, refusal.table(), refusal.reason(), refusal.to_string())
}

/// A source's objection to the archive's contents.
pub(super) fn refusal(source: &str, error: &Error) -> proto::RestoreRefusal {
    // A service's own reason is more specific than a refusal.
    let own = match error {
        Error::Restore(RestoreError::SourceRefused { source, .. }) => reason_of(source),
        _ => String::new(),
    };
    let reason = if own.is_empty() { error.reason() } else { own.as_str() };
    refused(source, "", reason, error.to_string())
}

/// Two sources share a database or a service, or one's directory is inside the other's.
pub(super) fn shared_place(source: &str, other: &str) -> proto::RestoreRefusal {
    let message = format!(
        "{source} and {other} are in the same place, where one restore cannot tell them apart: restore them one after the \
         other, with --sources {source} and then --sources {other}"
    );
    refused(source, "", "SHARED_PLACE", message)
}

pub(super) fn refused(source: &str, table: &str, reason: &str, message: String) -> proto::RestoreRefusal {
    let (reason, source, table) = (reason.to_owned(), source.to_owned(), table.to_owned());
    proto::RestoreRefusal { reason, message, source, table }
}

/// The current phase, without counts so far.
pub(super) fn begin_phase(progress: &Shared, phase: &str) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    *progress = Progress { phase: phase.to_owned(), ..Progress::default() };
}

/// In empty tables, every row is created. For a refused source, nothing is known.
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
    let examples: Vec<proto::RowExample> = changes.examples.into_iter().take(*left).map(example).collect();
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
        stale: 0,
    }
}

fn example(example: Example) -> proto::RowExample {
    proto::RowExample { change: change(example.change).into(), key: example.key }
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
