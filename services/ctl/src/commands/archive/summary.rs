//! A manifest for people.

use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::{EntryKind, EntryRecord, Manifest};

use crate::output::{Table, key_values};

/// The archive's statements about itself; `size` is the size of the file in bytes, `signature` the result of checking
/// it.
pub(super) fn text(manifest: &Manifest, size: u64, signature: &str) -> String {
    let rows: u64 = manifest.tables.iter().map(|(_, rows)| rows).sum();
    let mut text = key_values([
        ("archive", manifest.archive_id.clone()),
        ("application", format!("{} ({})", manifest.app_name, manifest.app_url)),
        ("created", manifest.created_at.to_string()),
        ("format version", manifest.format_version.to_string()),
        ("producer", manifest.producer.clone()),
        ("size", format!("{size} bytes")),
        ("signature", signature.to_owned()),
        ("options", options(manifest)),
        ("partial", partial(manifest)),
        ("deployment", manifest.deployment_id.clone().unwrap_or_default()),
        ("root key id", manifest.root_key_id.clone().unwrap_or_default()),
        ("key versions needed", manifest.kids.join(", ")),
        ("audit head", audit_head(manifest)),
        ("note", manifest.note.clone()),
        (
            "content",
            format!("{} tables, {rows} rows, {} files", manifest.tables.len(), files(manifest).count()),
        ),
    ]);
    text.push('\n');
    text.push_str(&sources(&manifest.sources).to_string());
    text.push('\n');
    text.push_str(&tables(manifest).to_string());
    if files(manifest).next().is_some() {
        text.push('\n');
        text.push_str(&file_sets(manifest).to_string());
    }
    text
}

fn files(manifest: &Manifest) -> impl Iterator<Item = &EntryRecord> {
    manifest.entries.iter().filter(|entry| entry.kind == EntryKind::File)
}

/// One line per set; files that grew while they were read are counted here, and named in the manifest.
fn file_sets(manifest: &Manifest) -> Table {
    let mut table = Table::new(&["FILE SET", "FILES", "BYTES", "GREW"]);
    for source in &manifest.sources {
        let of_set = || files(manifest).filter(|entry| entry.source.as_deref() == Some(&*source.name));
        if of_set().next().is_some() {
            let bytes: u64 = of_set().map(|entry| entry.bytes).sum();
            let grew = of_set().filter(|entry| entry.grew).count();
            let counts = [of_set().count().to_string(), bytes.to_string(), grew.to_string()];
            table.row([&source.name, &counts[0], &counts[1], &counts[2]]);
        }
    }
    table
}

fn options(manifest: &Manifest) -> String {
    let options = manifest.options.iter().map(|(name, given)| format!("{name}={given}"));
    options.collect::<Vec<_>>().join(", ")
}

fn partial(manifest: &Manifest) -> String {
    let Some(partial) = &manifest.partial else {
        return "no".to_owned();
    };
    format!("yes: only {}", partial.tables.join(", "))
}

fn audit_head(manifest: &Manifest) -> String {
    let head = manifest.audit_head.as_ref();
    head.map(|head| format!("{} {}", head.sequence, head.mac).trim_end().to_owned()).unwrap_or_default()
}

fn sources(sources: &[SourceRecord]) -> Table {
    let mut table = Table::new(&["SOURCE", "KIND", "ENGINE", "SNAPSHOT", "LEFT OUT"]);
    for source in sources {
        let skipped = source.skipped.iter().map(|skipped| format!("{} ({})", skipped.name, skipped.reason));
        let skipped = skipped.collect::<Vec<_>>().join(", ");
        table.row([&source.name, &source.kind, &source.engine, snapshot(source.snapshot), &skipped]);
    }
    table
}

fn snapshot(snapshot: Snapshot) -> &'static str {
    match snapshot {
        Snapshot::RepeatableRead => "repeatable-read",
        Snapshot::ReadTransaction => "read-transaction",
        Snapshot::VacuumCopy => "vacuum-copy",
        Snapshot::PerFile => "per-file",
        Snapshot::Vault => "vault",
    }
}

fn tables(manifest: &Manifest) -> Table {
    let mut table = Table::new(&["TABLE", "ROWS", "BYTES", "SOURCE"]);
    for (name, rows) in manifest.tables.iter() {
        let entry = manifest
            .entries
            .iter()
            .find(|entry| entry.kind == EntryKind::Table && entry.table.as_deref() == Some(name));
        let bytes = entry.map(|entry| entry.bytes.to_string()).unwrap_or_default();
        let source = entry.and_then(|entry| entry.source.clone()).unwrap_or_default();
        table.row([name, &rows.to_string(), &bytes, &source]);
    }
    table
}
