//! `strongroom source reencrypt`: starts a re-encryption, watches it, and reports the remaining values.

use anyhow::{Error, Result, bail};
use strongroom_api::backup::v1::{ReencryptSourceRequest, ReencryptSourceResponse, ReencryptedColumn};
use tonic::{Request, Status};

use crate::client::{self, Connection};
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::output::{Format, Table, key_values, message};

/// The message's name.
const ANSWER: &str = "strongroom.backup.v1.ReencryptSourceResponse";
const GOES_ON: &str = "what was re-encrypted stays; the same command continues with the rest";
/// Number of rows shown for each column, of those whose value no key opens.
const SHOWN: usize = 10;

/// # Errors
/// Also if values remain; the result is then on standard output.
pub(super) async fn run(source: String, rate: Option<i32>, format: Format) -> Result<()> {
    let backup = client::backup()?;
    let request = ReencryptSourceRequest { source: source.clone(), rows_per_second: rate.unwrap_or(0) };
    let last = unless_interrupted(watch(&backup, request), GOES_ON).await?;
    format.message(ANSWER, &last, || text(&last))?;
    for column in &last.columns {
        name_rows(column);
    }
    let undecryptable: i64 = last.columns.iter().map(|column| column.undecryptable).sum();
    if undecryptable > 0 {
        bail!(
            "{undecryptable} values of source {source} do not open and were not changed (rows above): restore them from a backup, or have the application write them again"
        );
    }
    if last.values_left > 0 {
        bail!(
            "{} values of source {source} are left, because other sessions held or changed their rows: run the command again",
            last.values_left
        );
    }
    Ok(())
}

/// Returns the last message.
async fn watch(backup: &Connection, request: ReencryptSourceRequest) -> Result<ReencryptSourceResponse> {
    let opened = backup.backups().reencrypt_source(Request::new(request)).await;
    let mut stream = opened.map_err(|status| backup.failed(&status))?.into_inner();
    let progress = Progress::of_values();
    while let Some(now) = stream.message().await.map_err(|status| broken(backup, &status))? {
        progress.values(&now);
        if now.done {
            progress.finish();
            return Ok(now);
        }
    }
    bail!("the stream ended before the work was done; {GOES_ON}")
}

fn broken(backup: &Connection, status: &Status) -> Error {
    Error::new(backup.failed(status)).context(GOES_ON)
}

fn text(last: &ReencryptSourceResponse) -> String {
    let mut table = Table::new(&["COLUMN", "KEY", "VERSION", "RE-ENCRYPTED", "LEFT", "DO NOT OPEN"]);
    for column in &last.columns {
        let left: Vec<String> = column
            .left
            .iter()
            .map(|left| {
                format!("{} of {}", left.values, if left.kid.is_empty() { "no version" } else { &left.kid })
            })
            .collect();
        let left = if left.is_empty() { "0".to_owned() } else { left.join(", ") };
        let (done, undecryptable) = (column.values_done.to_string(), column.undecryptable.to_string());
        let names = [column.column.as_str(), &column.key_id, &column.kid];
        table.row(names.into_iter().chain([done.as_str(), &left, &undecryptable]));
    }
    let sums = key_values([
        ("re-encrypted", format!("{} values", last.values_done)),
        ("left", format!("{} values", last.values_left)),
    ]);
    format!("{table}{sums}")
}

fn name_rows(column: &ReencryptedColumn) {
    for row in column.rows.iter().take(SHOWN) {
        message(&format!("{}: the value of row {} does not open ({})", column.column, row.id, row.reason));
    }
    let more = column.undecryptable.saturating_sub(column.rows.len().min(SHOWN) as i64);
    if more > 0 && column.undecryptable > 0 {
        message(&format!("{}: and {more} more; -o json names more", column.column));
    }
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::reencrypted_column::Left;

    use super::*;

    #[test]
    fn what_is_left_is_named_by_its_version() {
        let left = |kid: &str, values| Left { kid: kid.to_owned(), values };
        let column = ReencryptedColumn {
            column: "servers.bearer".into(),
            key_id: "gateway".into(),
            kid: "00000000000000aa".into(),
            values_done: 7,
            left: vec![left("00000000000000bb", 2), left("", 1)],
            undecryptable: 3,
            rows: Vec::new(),
        };
        let done = ReencryptedColumn { left: Vec::new(), undecryptable: 0, ..column.clone() };
        let last = ReencryptSourceResponse {
            values_done: 14,
            values_left: 3,
            done: true,
            columns: vec![column, done],
            ..ReencryptSourceResponse::default()
        };
        let shown = text(&last);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[1].contains("2 of 00000000000000bb, 1 of no version"), "{shown}");
        assert!(lines[2].contains("7") && lines[2].trim_end().ends_with('0'), "{shown}");
        assert!(lines[3].contains("14 values"), "{shown}");
    }
}
