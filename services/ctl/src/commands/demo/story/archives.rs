//! Archives: built, sealed, and checked without any service.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use strongroom_api::backup::v1::ExportBackupRequest;

use super::cast::Cast;
use crate::cli::ArchiveKeys;
use crate::commands::demo::narrator::Narrator;
use crate::commands::{archive, backup};
use crate::output::Table;

/// Two exports: configuration only, and everything.
pub(super) async fn export(cast: &Cast, folder: &Path, narrator: &mut Narrator) -> Result<[PathBuf; 2]> {
    let small = one(cast, &folder.join("config"), &[]).await?;
    narrator.step(
        "A backup without logs",
        "The archive was built while it was sent: no temporary file, and every table of a database in one\n\
         consistent snapshot. The file got its name only after the server's SHA-256 matched. It is sealed\n\
         (age): the vault can open it, and so can a recovery key, which belongs in a safe.",
    )?;
    narrator.show(&small.1)?;
    let large = one(cast, &folder.join("full"), &["gateway_logs", "audit"]).await?;
    narrator.step(
        "A backup with the gateway's logs and the audit log",
        "Optional groups are left out unless requested: routine backups are small, and an export for an\n\
         incident can include the logs.",
    )?;
    narrator.show(&large.1)?;
    Ok([small.0, large.0])
}

async fn one(cast: &Cast, folder: &Path, include: &[&str]) -> Result<(PathBuf, String)> {
    std::fs::create_dir(folder)?;
    let include = include.iter().map(|group| (*group).to_owned()).collect();
    let request = ExportBackupRequest { include, ..Default::default() };
    let summary = backup::export_to(&cast.backup, request, folder).await?;
    let kind = folder.file_name().unwrap_or_default().display();
    let shown = format!(
        "{kind}/{}: {} tables, {} rows, {} bytes",
        summary.file_name, summary.tables, summary.rows, summary.size_bytes
    );
    Ok((PathBuf::from(summary.out), shown))
}

/// Verifies both, and shows their contents.
pub(super) async fn verify(
    exported: &[PathBuf; 2],
    keys: &ArchiveKeys,
    narrator: &mut Narrator,
) -> Result<()> {
    let small = archive::verify_file(&exported[0], keys).await?;
    let large = archive::verify_file(&exported[1], keys).await?;
    let has = |tables: &[(String, u64)], name: &str| tables.iter().any(|(table, _)| table == name);
    for name in ["gateway_logs", "audit_logs"] {
        ensure!(!has(&small.tables, name), "{name} is in the archive that should not contain it");
        ensure!(has(&large.tables, name), "{name} is missing in the archive that should contain it");
    }
    narrator.step(
        "Both archives are verified, offline",
        "The recovery key opened the seal. Every byte, digest, row and count was checked on this machine, and\n\
         the ZIP's structure against the format's strict profile. No service was needed: this works when\n\
         everything else is lost, and so does the stock program age. Their content:",
    )?;
    let mut table = Table::new(&["TABLE", "ROWS", "WITHOUT LOGS"]);
    for (name, rows) in &large.tables {
        let small = small.tables.iter().find(|(table, _)| table == name);
        let rows_of_small = small.map(|(_, rows)| rows.to_string()).unwrap_or_default();
        table.row([name.as_str(), &rows.to_string(), &rows_of_small]);
    }
    narrator.show(&table.to_string())
}
