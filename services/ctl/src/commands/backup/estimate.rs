//! `strongroom backup estimate`.

use anyhow::Result;
use indicatif::HumanBytes;
use strongroom_api::backup::v1::{EstimateBackupRequest, EstimateBackupResponse};

use crate::cli::EstimateBackup;
use crate::client::{self, long};
use crate::output::{Format, Table, key_values};

const ESTIMATE: &str = "strongroom.backup.v1.EstimateBackupResponse";

pub(super) async fn run(estimate: EstimateBackup, format: Format) -> Result<()> {
    let service = client::backup()?;
    let request = EstimateBackupRequest { include: estimate.tables.include, tables: estimate.tables.tables };
    let answer = service.answer(service.backups().estimate_backup(long(request))).await?;
    format.message(ESTIMATE, &answer, || text(&answer))
}

fn text(estimate: &EstimateBackupResponse) -> String {
    let mut sources = Table::new(&["SOURCE", "SIZE"]);
    for source in &estimate.sources {
        let size = if source.known { shown(source.bytes) } else { "unknown".to_owned() };
        sources.row([&source.source, &size]);
    }
    let likely = match estimate.likely_bytes {
        0 => "unknown: there is no earlier backup of the same selection".to_owned(),
        bytes => shown(bytes),
    };
    let is_known = estimate.sources.iter().all(|source| source.known);
    let at_most = if is_known { "" } else { ", plus the sources of unknown size" };
    let totals = key_values([
        ("at most", format!("{}{at_most}", shown(estimate.bytes))),
        ("likely", likely),
        ("parts of", shown(estimate.part_bytes)),
    ]);
    format!("{sources}\n{totals}")
}

fn shown(bytes: i64) -> String {
    HumanBytes(bytes.try_into().unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::estimate_backup_response::SourceSize;

    use super::*;

    #[test]
    fn a_source_that_cannot_tell_has_no_size() {
        let source = |source: &str, known| SourceSize { source: source.into(), bytes: 2048, known };
        let estimate = EstimateBackupResponse {
            sources: vec![source("gateway", true), source("billing", false)],
            bytes: 4096,
            likely_bytes: 0,
            part_bytes: 8 << 20,
        };
        let text = text(&estimate);
        for line in [
            "gateway  2.00 KiB",
            "billing  unknown",
            "at most: 4.00 KiB, plus the sources of unknown size",
            "likely: unknown",
            "parts of: 8.00 MiB",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
