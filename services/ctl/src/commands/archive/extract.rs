//! `strongroom archive open`: the content of an archive, as files. Nothing gets its name before everything has been
//! checked.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use strongroom_archive::manifest::{MANIFEST_ENTRY, SIGNATURE_ENTRY};
use strongroom_archive::{ArchiveReader, EntryKind, EntryRecord, Error, verify};
use tempfile::TempDir;

use super::content::{Content, open};
use super::signer::{Signer, check_signer};
use crate::cli::OpenArchive;
use crate::files::{folder_of, sync_folder_of};
use crate::input::Input;
use crate::output::{Format, int64, key_values, message, print_data, printable};

pub(super) async fn run(command: OpenArchive, format: Format) -> Result<()> {
    let OpenArchive { file, keys, signer, table, out } = command;
    if let Some(out) = &out {
        check_empty(out)?;
    }
    let signer = Signer::read(&signer)?;
    let input = Input::of(&file)?;
    let named = || input.name();
    let (mut archive, _) = open(&input, &keys).await?;
    check_signer(signer.as_ref(), &mut archive).with_context(named)?;
    match (table, out) {
        (Some(table), None) => print_table(&mut archive, &table).with_context(named),
        (Some(table), Some(out)) => {
            let entries = entries_of(&archive, &table)?;
            write_out(&mut archive, &entries, &out).with_context(named)?;
            report(&out, entries.len(), format)
        }
        (None, Some(out)) => {
            match verify(&mut archive, &mut |_| {}) {
                Ok(_) => {}
                // The referring rows are intact, and can be the last copy.
                Err(error @ Error::Dangling(_)) => {
                    message(&format!("warning: {}", printable(&error.to_string())));
                }
                Err(error) => return Err(error).with_context(named),
            }
            let entries = archive.entries().to_vec();
            write_out(&mut archive, &entries, &out).with_context(named)?;
            report(&out, entries.len(), format)
        }
        (None, None) => bail!("give --out or --table"),
    }
}

fn report(out: &Path, entries: usize, format: Format) -> Result<()> {
    let out = out.display().to_string();
    format.document(&json!({"out": out, "entries": int64(entries)}), || {
        key_values([("out", out.as_str()), ("entries", &entries.to_string())])
    })
}

/// The table's rows and its schema.
fn entries_of(archive: &ArchiveReader<Content>, table: &str) -> Result<Vec<EntryRecord>> {
    let of_table = |entry: &&EntryRecord| entry.table.as_deref() == Some(table);
    let entries: Vec<EntryRecord> = archive.entries().iter().filter(of_table).cloned().collect();
    ensure!(!entries.is_empty(), "the archive has no table {table:?}; `archive inspect` lists those it has");
    Ok(entries)
}

/// Standard output is valid only with exit code 0, as for every stream.
fn print_table(archive: &mut ArchiveReader<Content>, table: &str) -> Result<()> {
    let is_rows =
        |entry: &&EntryRecord| entry.kind == EntryKind::Table && entry.table.as_deref() == Some(table);
    let name = archive.entries().iter().find(is_rows).map(|entry| entry.name.clone());
    let name = name.with_context(|| {
        format!("the archive has no table {table:?}; `archive inspect` lists those it has")
    })?;
    print_data(archive.entry(&name)?)
}

fn check_empty(out: &Path) -> Result<()> {
    match out.read_dir() {
        Ok(mut entries) => ensure!(entries.next().is_none(), "{} is not empty", out.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| out.display().to_string()),
    }
    Ok(())
}

/// Writes entries into a folder beside `out`, which then takes its place.
fn write_out(archive: &mut ArchiveReader<Content>, entries: &[EntryRecord], out: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", out.display());
    let folder = tempfile::Builder::new().prefix(".strongroom-").tempdir_in(folder_of(out));
    let folder = folder.with_context(failed)?;
    for entry in entries {
        let name = &entry.name;
        let mut file = create(&folder, &path_of(entry)).with_context(failed)?;
        io::copy(&mut archive.entry(name)?, &mut file).with_context(|| name.clone())?;
        if let Some(time) = entry.modified_at {
            file.set_modified(time.into()).with_context(failed)?;
        }
        file.sync_all().with_context(failed)?;
    }
    create(&folder, MANIFEST_ENTRY.as_ref())?.write_all(archive.manifest_json()).with_context(failed)?;
    if let Some(signature) = archive.signature()? {
        writeln!(create(&folder, SIGNATURE_ENTRY.as_ref())?, "{signature}").with_context(failed)?;
    }
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).with_context(failed)?;
    std::fs::rename(folder.keep(), out).with_context(failed)?;
    sync_folder_of(out)
}

/// Files of a set get their own names back.
fn path_of(entry: &EntryRecord) -> PathBuf {
    match entry.file_path() {
        Some((set, path)) => Path::new("files").join(set).join(OsStr::from_bytes(path.as_bytes())),
        None => PathBuf::from(&entry.name),
    }
}

/// Names and paths were checked when the archive was opened: none leads out of the folder.
fn create(folder: &TempDir, name: &Path) -> io::Result<File> {
    let path = folder.path().join(name);
    DirBuilder::new().recursive(true).mode(0o700).create(folder_of(&path))?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
