//! A verdict for people and scripts, and its exit code.

use anyhow::{Error, Result, anyhow, bail};
use serde_json::Value;
use strongroom_api::backup::v1::verify_backup_response::{Column, Verdict};
use strongroom_api::backup::v1::{LevelVerdict, VerifyOutcome};
use strongroom_api::json::to_json;

use super::answers::Answers;
use crate::commands::levels;
use crate::error::UnknownSigner;
use crate::output::{Table, key_values, printable};

const MESSAGE: &str = "strongroom.backup.v1.VerifyBackupResponse";

/// The verdict's fields, and in addition `columns` and `badEntries`.
pub(super) fn document(answers: &Answers) -> Result<Value> {
    let json = |name: &str, message: &dyn Fn(&str) -> Result<Value, String>| -> Result<Value> {
        message(&format!("{MESSAGE}.{name}")).map_err(|error| anyhow!(error))
    };
    let mut document = json("Verdict", &|name| to_json(name, &answers.verdict))?;
    let columns = answers.columns.iter().map(|column| json("Column", &|name| to_json(name, column)));
    document["columns"] = columns.collect::<Result<Vec<_>>>()?.into();
    let entries = answers.bad_entries.iter().map(|entry| json("Entry", &|name| to_json(name, entry)));
    document["badEntries"] = entries.collect::<Result<Vec<_>>>()?.into();
    Ok(document)
}

pub(super) fn text(answers: &Answers) -> String {
    let Answers { verdict, columns, bad_entries } = answers;
    let mut text = head(verdict);
    text.push_str(&format!("\n{}", levels::table(&verdict.levels)));
    if !columns.is_empty() {
        text.push_str(&format!("\n{}", counts(columns)));
    }
    for entry in bad_entries {
        text.push_str(&format!("{}: {}\n", printable(&entry.name), printable(&entry.problem)));
    }
    text.extend(columns.iter().map(closed_rows));
    text.extend(verdict.dangling.iter().map(|one| format!("{}\n", printable(one))));
    text
}

/// Success for a verdict that passed.
pub(super) fn judge(verdict: &Verdict) -> Result<()> {
    let bad = |level: &&LevelVerdict| level.outcome() != VerifyOutcome::Passed;
    let bad: Vec<&LevelVerdict> = verdict.levels.iter().filter(bad).collect();
    match bad.as_slice() {
        // Both must agree: an answer that contradicts itself is not a success.
        [] if verdict.ok => Ok(()),
        [only] if only.outcome() == VerifyOutcome::UnknownSigner => {
            Err(Error::new(UnknownSigner::to_the_vault()).context(printable(&only.problem).into_owned()))
        }
        [] => bail!("verification failed: the backup service gave no reason"),
        [first, ..] => bail!("verification failed: {}", printable(&first.problem)),
    }
}

fn head(verdict: &Verdict) -> String {
    let Verdict { entries, tables, rows, files, values, .. } = verdict;
    key_values([
        ("archive", verdict.archive_id.clone()),
        ("application", verdict.app_name.clone()),
        ("size", format!("{} bytes", verdict.size_bytes)),
        ("sha256", verdict.sha256.clone()),
        ("content", format!("{tables} tables, {rows} rows, {files} files, {entries} entries")),
        ("sealed values", values.to_string()),
        (
            "references",
            format!("{} checked, {} not", verdict.references_checked, verdict.references_unchecked),
        ),
    ])
}

fn counts(columns: &[Column]) -> Table {
    let mut table = Table::new(&["COLUMN", "KEY", "VALUES", "FINE", "UNDECRYPTABLE", "UNKNOWN KEY"]);
    for column in columns {
        let name = format!("{}.{}", column.table, column.column);
        let counts = [column.values, column.decryptable, column.undecryptable, column.unknown_kid];
        let counts = counts.map(|count| count.to_string());
        table.row([&name, &column.key_id].into_iter().chain(&counts));
    }
    table
}

/// One line per row, and one with the number of further rows.
fn closed_rows(column: &Column) -> String {
    let Column { table, column: name, rows, .. } = column;
    let mut lines = String::new();
    for row in rows {
        let kid = if row.kid.is_empty() { String::new() } else { format!(", sealed by {}", row.kid) };
        let line = format!("{table}.{name} of row {}: {}{kid}", row.id, row.reason);
        lines.push_str(&format!("{}\n", printable(&line)));
    }
    let more = column.undecryptable + column.unknown_kid - rows.len() as i64;
    if more > 0 {
        lines.push_str(&format!("{}: {more} more\n", printable(&format!("{table}.{name}"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::VerifyLevel;
    use strongroom_api::backup::v1::verify_backup_response::Row;

    use super::*;

    fn verdict(signature: VerifyOutcome, values: VerifyOutcome) -> Verdict {
        let level = |level: VerifyLevel, outcome: VerifyOutcome| LevelVerdict {
            level: level.into(),
            outcome: outcome.into(),
            problem: if outcome == VerifyOutcome::Passed { String::new() } else { "a\nproblem".into() },
        };
        let levels = vec![level(VerifyLevel::Signature, signature), level(VerifyLevel::Values, values)];
        let ok = (signature, values) == (VerifyOutcome::Passed, VerifyOutcome::Passed);
        Verdict { levels, ok, ..Verdict::default() }
    }

    #[test]
    fn only_a_signer_who_is_not_known_is_told_apart() {
        use VerifyOutcome::{Failed, Passed, UnknownSigner as Unknown};
        assert!(judge(&verdict(Passed, Passed)).is_ok());
        let told = |signature, values| {
            let error = judge(&verdict(signature, values)).expect_err("it is not fine");
            error.is::<UnknownSigner>()
        };
        assert!(told(Unknown, Passed) && !told(Unknown, Failed) && !told(Failed, Passed));
        assert!(judge(&Verdict { ok: false, ..verdict(Passed, Passed) }).is_err());
    }

    #[test]
    fn rows_are_named_and_the_rest_counted() {
        let row = |id: &str| Row { id: id.into(), kid: String::new(), reason: "CIPHERTEXT_INVALID".into() };
        let columns = vec![Column {
            table: "t".into(),
            column: "c".into(),
            key_id: "gateway".into(),
            values: 4,
            decryptable: 1,
            undecryptable: 3,
            rows: vec![row("7"), row("a\u{1b}b")],
            ..Column::default()
        }];
        let verdict = verdict(VerifyOutcome::Passed, VerifyOutcome::Failed);
        let shown = text(&Answers { verdict, columns, bad_entries: Vec::new() });
        for line in ["t.c of row 7: CIPHERTEXT_INVALID\n", "row a\\u{1b}b: ", "t.c: 1 more\n", "a\\nproblem"]
        {
            assert!(shown.contains(line), "{shown}");
        }
    }
}
