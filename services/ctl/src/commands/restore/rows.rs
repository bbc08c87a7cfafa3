//! The effect of a restore on rows, table by table.

use indicatif::HumanCount;
use strongroom_api::backup::v1::{FileSetPlan, RowChange, SourcePlan, TablePlan};
use strongroom_api::limits::VAULT_SOURCE;

use super::words;
use crate::output::{Table, printable};

/// Number of keys shown for each table and change; the rest is counted.
const MOST_KEYS: usize = 3;
/// The same for removed credentials: each of them belongs to somebody.
const MOST_CREDENTIALS: usize = 100;

/// One line per table, and a total if there are several; one line for the files of a set.
pub(super) fn table(source: &SourcePlan) -> String {
    if let Some(set) = &source.files {
        return files(&as_table(set));
    }
    let mut table =
        Table::new(&["TABLE", "ROWS", "CREATED", "CHANGED", "REMOVED", "KEPT", "CONFLICTS", "NOTE"]);
    let mut all = [0_i64; COUNTS];
    for one in &source.tables {
        let counts = counts(one);
        all = std::array::from_fn(|at| all[at].saturating_add(counts[at]));
        let note = match one.stale {
            _ if one.creates_table => "the table is created".to_owned(),
            0 => String::new(),
            stale => format!("{} stale until reissued", count(stale)),
        };
        line(&mut table, &one.table, counts, &note);
    }
    if source.tables.len() > 1 {
        line(&mut table, "in all", all, "");
    }
    table.to_string()
}

fn files(set: &TablePlan) -> String {
    let mut table = Table::new(&["FILES", "CREATED", "CHANGED", "REMOVED", "KEPT", "CONFLICTS"]);
    table.row(counts(set).map(count).iter().map(String::as_str));
    table.to_string()
}

/// Files are counted like rows.
fn as_table(set: &FileSetPlan) -> TablePlan {
    let FileSetPlan { files, created, changed, deleted, kept, conflicts, examples } = set.clone();
    TablePlan {
        table: "files".to_owned(),
        rows: files,
        created,
        changed,
        deleted,
        kept,
        conflicts,
        examples,
        ..TablePlan::default()
    }
}

const COUNTS: usize = 6;

fn counts(table: &TablePlan) -> [i64; COUNTS] {
    let TablePlan { rows, created, changed, deleted, kept, conflicts, .. } = table;
    [*rows, *created, *changed, *deleted, *kept, *conflicts]
}

fn line(table: &mut Table, name: &str, counts: [i64; COUNTS], note: &str) {
    let counts = counts.map(count);
    table.row([name].into_iter().chain(counts.iter().map(String::as_str)).chain([note]));
}

/// `1,234`.
pub(in crate::commands) fn count(count: i64) -> String {
    HumanCount(count.try_into().unwrap_or(0)).to_string()
}

/// A few keys of the changed rows: one line for each table with such rows.
pub(super) fn examples(source: &SourcePlan) -> String {
    let files = source.files.as_ref().map(as_table);
    let most = if source.kind == VAULT_SOURCE { MOST_CREDENTIALS } else { MOST_KEYS };
    let lines = source.tables.iter().chain(&files).filter_map(|table| of_table(table, most));
    lines.map(|line| format!("{line}\n")).collect()
}

fn of_table(table: &TablePlan, most_removed: usize) -> Option<String> {
    let all = [
        (RowChange::Created, table.created),
        (RowChange::Changed, table.changed),
        (RowChange::Deleted, table.deleted),
        (RowChange::Conflict, table.conflicts),
    ];
    let said: Vec<String> =
        all.into_iter().filter_map(|(change, count)| of_change(table, change, count, most_removed)).collect();
    (!said.is_empty()).then(|| format!("{}: {}", printable(&table.table), said.join("; ")))
}

/// The rows of a table without a key cannot be named.
fn of_change(table: &TablePlan, change: RowChange, count: i64, most_removed: usize) -> Option<String> {
    let most = if change == RowChange::Deleted { most_removed } else { MOST_KEYS };
    let named = table.examples.iter().filter(|example| example.change() == change && !example.key.is_empty());
    let keys: Vec<_> = named.take(most).map(|example| printable(&example.key)).collect();
    if keys.is_empty() {
        return None;
    }
    let more = count.saturating_sub(keys.len() as i64);
    let more = if more > 0 { format!(" and {} more", self::count(more)) } else { String::new() };
    Some(format!("{} {}{more}", words::change(change), keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::RowExample;

    use super::*;

    #[test]
    fn a_few_keys_are_named_and_the_rest_is_counted() {
        let example = |change: RowChange, key: &str| RowExample { change: change.into(), key: key.into() };
        let created = (1..=5).map(|key| example(RowChange::Created, &format!("[\"{key}\"]")));
        let examples =
            created.chain([example(RowChange::Deleted, "[\"\u{1b}\"]"), example(RowChange::Changed, "")]);
        let table = TablePlan {
            table: "users".into(),
            created: 1234,
            deleted: 1,
            changed: 2,
            examples: examples.collect(),
            ..TablePlan::default()
        };
        let source = SourcePlan { tables: vec![table, TablePlan::default()], ..SourcePlan::default() };
        assert_eq!(
            super::examples(&source),
            "users: created [\"1\"], [\"2\"], [\"3\"] and 1,231 more; removed [\"\\u{1b}\"]\n"
        );
    }
}
