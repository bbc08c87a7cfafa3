//! `strongroom archive`: reads archives on this machine. A service is asked only to open a seal for which no key was
//! given.

mod content;
mod extract;
mod reseal;
mod signer;
mod summary;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use strongroom_archive::manifest::Ordered;
use strongroom_archive::{Error, Report, verify};

use super::left_out;
use crate::cli::{ArchiveCommand, ArchiveKeys, SignerFile};
use crate::input::Input;
use crate::output::{Format, int64, message, printable};

pub(super) use content::open;
pub(super) use signer::Signer;
use signer::check_signer;

pub(super) async fn run(command: ArchiveCommand, format: Format) -> Result<()> {
    match command {
        ArchiveCommand::Inspect { file, keys, signer } => inspect(&file, &keys, &signer, format).await,
        ArchiveCommand::Verify { file, keys, signer } => verify_command(&file, &keys, &signer, format).await,
        ArchiveCommand::Open(open) => extract::run(open, format).await,
        ArchiveCommand::Reseal(reseal) => reseal::run(reseal, format).await,
    }
}

async fn inspect(file: &Path, keys: &ArchiveKeys, signer: &SignerFile, format: Format) -> Result<()> {
    let signer = Signer::read(signer)?;
    let input = Input::of(file)?;
    let (mut archive, size) = open(&input, keys).await?;
    let named = || input.name();
    let checked = check_signer(signer.as_ref(), &mut archive).with_context(named)?;
    let signature = match archive.signature().with_context(named)? {
        None => "none".to_owned(),
        Some(signature) if checked.is_empty() => format!("by {}, not checked (--signer)", signature.kid()),
        Some(signature) => format!("by {}, checked", signature.kid()),
    };
    let manifest = archive.manifest();
    format.document(manifest, || summary::text(manifest, size, &signature))
}

async fn verify_command(file: &Path, keys: &ArchiveKeys, signer: &SignerFile, format: Format) -> Result<()> {
    let signer = Signer::read(signer)?;
    let input = Input::of(file)?;
    let (mut archive, _) = open(&input, keys).await?;
    let named = || input.name();
    let verified = match verify(&mut archive, &mut |_| {}) {
        // An unknown signer takes precedence, even over references to missing rows.
        verified @ (Ok(_) | Err(Error::Dangling(_))) => verified,
        damaged => return damaged.map(drop).with_context(named),
    };
    let signed_by = check_signer(signer.as_ref(), &mut archive).with_context(named)?;
    let report = verified.with_context(named)?;
    left_out::say_of(&archive.manifest().sources);
    dangling(&report).iter().for_each(|line| message(&format!("warning: {line}")));
    format.document(&document(&report, &signed_by), || sentence(&report, &signed_by))
}

/// Checks everything in the archive in `path`.
pub(super) async fn verify_file(path: &Path, keys: &ArchiveKeys) -> Result<Report> {
    let input = Input::of(path)?;
    let (mut archive, _) = open(&input, keys).await?;
    verify(&mut archive, &mut |_| {}).with_context(|| input.name())
}

/// References to missing rows, from databases that permit them.
fn dangling(report: &Report) -> Vec<String> {
    report.references.dangling.iter().map(|one| printable(&one.to_string()).into_owned()).collect()
}

fn document(report: &Report, signed_by: &str) -> serde_json::Value {
    let tables: Ordered<_> = report.tables.iter().map(|(name, rows)| (name.clone(), int64(rows))).collect();
    let mut document = json!({
        "ok": true,
        "archiveId": report.archive_id,
        "tables": tables,
        "files": int64(report.files),
        "entries": int64(report.entries),
        "bytes": int64(report.bytes),
        "referencesChecked": int64(report.references.checked),
        "referencesUnchecked": int64(report.references.unchecked),
        "dangling": dangling(report),
    });
    if !signed_by.is_empty() {
        document["signedBy"] = signed_by.into();
    }
    document
}

fn sentence(report: &Report, signed_by: &str) -> String {
    let rows: u64 = report.tables.iter().map(|(_, rows)| rows).sum();
    let signature = match signed_by {
        "" => "its signature was not checked (--signer)".to_owned(),
        kid => format!("signed by {kid}"),
    };
    format!(
        "ok: {} of {}, {} tables, {rows} rows, {} files, {} entries, {} bytes; {signature}\n",
        report.archive_id,
        printable(&report.app_name),
        report.tables.len(),
        report.files,
        report.entries,
        report.bytes
    )
}
