//! `strongroom archive`: reading archives on this machine, without any service.

mod summary;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use strongroom_archive::manifest::Ordered;
use strongroom_archive::{ArchiveReader, Limits, Report, verify};

use crate::cli::ArchiveCommand;
use crate::output::{Format, printable};

pub(super) fn run(command: ArchiveCommand, format: Format) -> Result<()> {
    match command {
        ArchiveCommand::Inspect { file } => {
            let (archive, size) = open(&file)?;
            let manifest = archive.manifest();
            format.document(manifest, || summary::text(manifest, size))
        }
        ArchiveCommand::Verify { file } => {
            let report = verify_file(&file)?;
            format.document(&document(&report), || sentence(&report))
        }
    }
}

/// Opens the archive in `path` under the strict policy. The second value is the file's size in bytes.
pub(super) fn open(path: &Path) -> Result<(ArchiveReader<BufReader<File>>, u64)> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let size = file.metadata().with_context(named)?.len();
    let archive = ArchiveReader::open(BufReader::new(file), Limits::V1).with_context(named)?;
    Ok((archive, size))
}

/// Checks everything in the archive in `path`.
pub(super) fn verify_file(path: &Path) -> Result<Report> {
    let (mut archive, _) = open(path)?;
    verify(&mut archive, &mut |_| {}).with_context(|| path.display().to_string())
}

fn document(report: &Report) -> serde_json::Value {
    let tables: Ordered<u64> = report.tables.iter().cloned().collect();
    json!({
        "ok": true,
        "archiveId": report.archive_id,
        "tables": tables,
        "entries": report.entries,
        "bytes": report.bytes,
    })
}

fn sentence(report: &Report) -> String {
    let rows: u64 = report.tables.iter().map(|(_, rows)| rows).sum();
    format!(
        "ok: {} of {}, {} tables, {rows} rows, {} entries, {} bytes\n",
        report.archive_id,
        printable(&report.app_name),
        report.tables.len(),
        report.entries,
        report.bytes
    )
}
