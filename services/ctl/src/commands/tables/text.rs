//! Exports and imports of tables for people.

use serde_json::{Value, json};
use strongroom_api::backup::v1::{ImportTablesResponse, ImportedTable, RowChange};

use super::export::Exported;
use crate::commands::restore::count;
use crate::output::{Table, int64, key_values, printable};

/// Number of keys shown for each table's conflicts; the rest is counted.
const MOST_KEYS: usize = 3;

pub(super) fn exported(exported: &Exported) -> String {
    let trailer = &exported.trailer;
    let head = key_values([
        ("out", exported.out.clone()),
        ("size", format!("{} bytes", trailer.size_bytes)),
        ("sha256", trailer.sha256.clone()),
    ]);
    let mut table = Table::new(&["TABLE", "SOURCE", "ROWS"]);
    for one in &trailer.tables {
        table.row([&*one.table, &one.source, &count(one.rows)]);
    }
    format!("{head}\n{table}")
}

pub(super) fn exported_document(exported: &Exported) -> Value {
    let trailer = &exported.trailer;
    let tables = trailer.tables.iter();
    let tables =
        tables.map(|one| json!({ "table": one.table, "source": one.source, "rows": int64(one.rows) }));
    json!({
        "exportId": trailer.export_id,
        "out": exported.out,
        "sizeBytes": int64(trailer.size_bytes),
        "sha256": trailer.sha256,
        "tables": tables.collect::<Vec<_>>(),
    })
}

pub(super) fn imported(answer: &ImportTablesResponse) -> String {
    let mut head = vec![("source", answer.source.clone()), ("import", answer.import_id.clone())];
    if answer.dry_run {
        head.push(("dry run", "nothing was changed".to_owned()));
    }
    let mut table = Table::new(&["TABLE", "ROWS", "CREATED", "KEPT", "CONFLICTS"]);
    for one in &answer.tables {
        let ImportedTable { rows, created, kept, conflicts, .. } = one;
        let counts = [*rows, *created, *kept, *conflicts].map(count);
        table.row([&*one.table].into_iter().chain(counts.iter().map(String::as_str)));
    }
    let mut text = format!("{}\n{table}", key_values(head));
    text.extend(answer.tables.iter().filter_map(conflicts).map(|line| format!("{line}\n")));
    text.extend(answer.warnings.iter().map(|warning| format!("warning: {}\n", printable(warning))));
    text.extend(
        answer.refusals.iter().map(|one| format!("refused: {} ({})\n", printable(&one.message), one.reason)),
    );
    text
}

/// The reasons of the refusals, each once.
pub(super) fn reasons(answer: &ImportTablesResponse) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for refusal in &answer.refusals {
        if !reasons.contains(&refusal.reason.as_str()) {
            reasons.push(&refusal.reason);
        }
    }
    reasons.join(", ")
}

fn conflicts(table: &ImportedTable) -> Option<String> {
    let examples = table.examples.iter().filter(|example| example.change() == RowChange::Conflict);
    let keys: Vec<_> = examples.take(MOST_KEYS).map(|example| printable(&example.key)).collect();
    if keys.is_empty() {
        return None;
    }
    let more = table.conflicts.saturating_sub(keys.len() as i64);
    let more = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
    Some(format!("{}: in conflict {}{more}", printable(&table.table), keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::{RestoreRefusal, RowExample};

    use super::*;

    #[test]
    fn conflicts_refusals_and_a_dry_run_are_said() {
        let example = |key: &str| RowExample { change: RowChange::Conflict.into(), key: key.into() };
        let table = ImportedTable {
            table: "users".into(),
            rows: 1234,
            kept: 1229,
            conflicts: 5,
            examples: (1..=4).map(|key| example(&format!("[\"{key}\"]"))).collect(),
            ..ImportedTable::default()
        };
        let refusal =
            RestoreRefusal { reason: "NO_KEY".into(), message: "no\u{1b}".into(), ..Default::default() };
        let answer = ImportTablesResponse {
            dry_run: true,
            source: "gateway".into(),
            tables: vec![table],
            refusals: vec![refusal.clone(), refusal],
            ..ImportTablesResponse::default()
        };
        let text = imported(&answer);
        for part in [
            "dry run",
            "1,234",
            "users: in conflict [\"1\"], [\"2\"], [\"3\"] and 2 more",
            "refused: no\\u{1b} (NO_KEY)",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(reasons(&answer), "NO_KEY");
    }
}
