//! `strongroom backup scan`.

use anyhow::{Result, bail};
use strongroom_api::backup::v1::ScanBackupsRequest;
use strongroom_api::backup::v1::scan_backups_response::DestinationScan;

use crate::cli::ScanBackups;
use crate::client::{self, long};
use crate::output::{Format, Table, printable};

const SCAN: &str = "strongroom.backup.v1.ScanBackupsResponse.DestinationScan";

pub(super) async fn run(scan: ScanBackups, format: Format) -> Result<()> {
    let service = client::backup()?;
    let request = ScanBackupsRequest { destinations: scan.destinations };
    let found = service.answer(service.backups().scan_backups(long(request))).await?.destinations;
    match format {
        Format::Text => crate::output::print(&text(&found))?,
        Format::Json => format.list(SCAN, &found, || table(&found))?,
    }
    judge(&found)
}

fn table(found: &[DestinationScan]) -> Table {
    let mut table =
        Table::new(&["DESTINATION", "FOUND", "ADDED", "UNVERIFIED", "MISSING", "REFUSED", "PROBLEM"]);
    for one in found {
        let counts = [one.found, one.added, one.unverified, one.missing, one.refused_total];
        let counts = counts.map(|count| count.to_string());
        table.row([&one.destination].into_iter().chain(&counts).chain([&one.problem]));
    }
    table
}

/// The table, and a line for each refused sidecar.
fn text(found: &[DestinationScan]) -> String {
    let mut text = table(found).to_string();
    for one in found {
        let destination = printable(&one.destination);
        for refused in &one.refused {
            text.push_str(&format!("{destination}: {}\n", printable(refused)));
        }
        let more = one.refused_total.saturating_sub(one.refused.len() as i64);
        if more > 0 {
            text.push_str(&format!("{destination}: {more} more refused\n"));
        }
    }
    text
}

/// Unverified backups and missing copies are the findings that a scan is for. A refused sidecar, or a destination that
/// was not read to its end, means that the catalogue may still lack something.
fn judge(found: &[DestinationScan]) -> Result<()> {
    let unread = found.iter().filter(|one| !one.problem.is_empty());
    let unread: Vec<_> = unread.map(|one| printable(&one.problem)).collect();
    if !unread.is_empty() {
        bail!("the scan is incomplete: {}", unread.join(", and "));
    }
    let refused: i64 = found.iter().map(|one| one.refused_total.max(one.refused.len() as i64)).sum();
    match refused {
        0 => Ok(()),
        1 => bail!("1 sidecar was refused: information that only it holds is not in the catalogue"),
        refused => {
            bail!("{refused} sidecars were refused: information that only they hold is not in the catalogue")
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn scan(refused: &[&str], refused_total: i64, problem: &str) -> DestinationScan {
        DestinationScan {
            destination: "offsite".into(),
            found: 3,
            added: 1,
            unverified: 2,
            missing: 1,
            refused: refused.iter().map(|one| (*one).to_owned()).collect(),
            refused_total,
            problem: problem.into(),
        }
    }

    #[test]
    fn findings_are_no_failure() {
        judge(&[scan(&[], 0, "")]).unwrap();
        judge(&[]).unwrap();
    }

    #[test]
    fn what_could_not_be_read_is_one() {
        let said = |found: &[DestinationScan]| judge(found).unwrap_err().to_string();
        assert!(said(&[scan(&["a"], 7, "")]).starts_with("7 sidecars were refused: "));
        assert!(said(&[scan(&["a"], 1, "")]).starts_with("1 sidecar was refused: "));
        let unread = [scan(&[], 0, ""), scan(&[], 0, "no\nbucket"), scan(&["a"], 1, "no folder")];
        assert_eq!(said(&unread), "the scan is incomplete: no\\nbucket, and no folder");
    }

    #[test]
    fn each_refused_sidecar_has_a_line_and_the_rest_is_counted() {
        let shown = text(&[scan(&["a.json: its signature\u{1b} is wrong"], 3, "")]);
        assert!(shown.contains("offsite: a.json: its signature\\u{1b} is wrong\n"), "{shown}");
        assert!(shown.ends_with("offsite: 2 more refused\n"), "{shown}");
    }
}
