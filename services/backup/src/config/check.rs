//! Checks a configuration for mistakes, and reports each in one sentence.

mod destinations;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use strongroom_api::limits::{VAULT_AUDIT_GROUP as VAULT_GROUP, VAULT_SOURCE as VAULT_NAME};
use strongroom_archive::{AadTemplate, Limits};

use super::{BackupConfig, Config, OptionalGroup, SourceConfig, SourceKind};
use crate::error::{Error, Result};
use crate::seal::SealPolicy;

/// Maximum length of the application's name in bytes: with time, id and suffixes it forms an object name of at most 200
/// bytes.
const LONGEST_NAME: usize = 100;
/// Maximum number of encrypted columns of all sources; with those of services, the archive format allows 1,000.
const MOST_COLUMNS: usize = 900;

/// Refuses an invalid configuration. Opens nothing.
///
/// # Errors
/// [`Error::Config`] naming the section or source.
pub(crate) fn check(config: &Config) -> Result<()> {
    if config.app.name.trim().is_empty() {
        return refused("[app] name is missing: it names the archives (name = \"PromptGate\")".into());
    }
    if config.app.name.len() > LONGEST_NAME {
        let length = config.app.name.len();
        return refused(format!(
            "[app] name has {length} bytes; it is part of file names, and at most {LONGEST_NAME} are allowed"
        ));
    }
    check_service(&config.backup)?;
    SealPolicy::create(&config.seal)?;
    let mut names = HashSet::new();
    for (at, source) in config.sources.iter().enumerate() {
        check_name(at, &source.name)?;
        if !names.insert(source.name.as_str()) {
            return refused(format!("two sources are called {:?}; give each its own name", source.name));
        }
        check_source(source)?;
    }
    let columns: usize = config.sources.iter().map(|source| source.encrypted_columns.len()).sum();
    if columns > MOST_COLUMNS {
        return refused(format!(
            "{columns} encrypted columns are declared; at most {MOST_COLUMNS} are allowed in all"
        ));
    }
    check_groups(&config.sources)?;
    destinations::check(&config.destinations)
}

fn check_service(backup: &BackupConfig) -> Result<()> {
    check_range("export_limit_seconds", backup.export_limit_seconds, 1..=86_400)?;
    check_range("stall_seconds", backup.stall_seconds, 1..=3_600)?;
    check_range("pin_days", backup.pin_days.into(), 1..=3_650)?;
    check_range("concurrent_exports", backup.concurrent_exports as u64, 1..=1_000)?;
    check_range("create_limit_seconds", backup.create_limit_seconds, 1..=86_400)?;
    check_range("concurrent_backups", backup.concurrent_backups as u64, 1..=100)?;
    check_range("delete_delay_hours", backup.delete_delay_hours.into(), 0..=87_600)?;
    check_range("verify_bytes_per_day", backup.verify_bytes_per_day, 1..=i64::MAX as u64)?;
    check_range("concurrent_downloads", backup.concurrent_downloads as u64, 1..=1_000)?;
    check_range("restore_limit_seconds", backup.restore_limit_seconds, 1..=604_800)?;
    check_range("concurrent_restores", backup.concurrent_restores as u64, 1..=100)?;
    check_range("verify_limit_seconds", backup.verify_limit_seconds, 1..=86_400)?;
    check_range("concurrent_verifications", backup.concurrent_verifications as u64, 1..=100)?;
    check_range("verify_row_limit_bytes", backup.verify_row_limit_bytes, 1..=Limits::V1.row_bytes)?;
    let manifest = 1 << 20..=Limits::V1.manifest_bytes;
    check_range("verify_manifest_limit_bytes", backup.verify_manifest_limit_bytes, manifest)?;
    check_range("verify_processor_seconds", backup.verify_processor_seconds, 1..=86_400)?;
    check_range("concurrent_uploads", backup.concurrent_uploads as u64, 1..=1_000)?;
    check_range("staging_limit_bytes", backup.staging_limit_bytes, 1..=i64::MAX as u64)?;
    check_range("upload_limit_bytes", backup.upload_limit_bytes, 1..=i64::MAX as u64)?;
    check_range("compression_level", backup.compression_level.unwrap_or(1).into(), 1..=9)?;
    Ok(())
}

fn check_range(key: &str, value: u64, range: RangeInclusive<u64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    refused(format!("[backup] {key} is {value}; it must be from {} to {}", range.start(), range.end()))
}

/// A source without a valid name is identified by its position.
fn check_name(at: usize, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return refused(format!(
            "sources[{at}]: the name {name:?} must have 1 to 100 bytes and no control characters"
        ));
    }
    Ok(())
}

fn check_source(source: &SourceConfig) -> Result<()> {
    let name = &source.name;
    if name == VAULT_NAME {
        return refused(format!(
            "a source cannot be called {VAULT_NAME:?}: the vault is part of every backup"
        ));
    }
    if source.kind == SourceKind::Files {
        check_files(source)?;
    } else if source.url.is_some() == source.url_file.is_some() {
        return refused(format!("source {name}: give either url or url_file"));
    }
    check_kind_options(source)?;
    if let Some(prefix) = &source.table_prefix
        && (prefix.is_empty() || prefix.len() > 60 || prefix.chars().any(char::is_control))
    {
        return refused(format!(
            "source {name}: table_prefix {prefix:?} must have 1 to 60 bytes and no control characters"
        ));
    }
    for (list, elements) in [("exclude", &source.exclude), ("schemas", &source.schemas)] {
        check_elements(source, list, elements)?;
    }
    let mut columns = HashSet::new();
    for (at, column) in source.encrypted_columns.iter().enumerate() {
        let text = &column.column;
        if column.parts().is_none() || column.key.is_empty() || column.aad.is_empty() {
            return refused(format!(
                "source {name}: encrypted_columns[{at}] {text:?} needs column = \"table.column\", a key and an aad"
            ));
        }
        AadTemplate::parse(&column.aad).map_err(|error| {
            Error::Config(format!("source {name}: encrypted_columns[{at}] {text:?}: {error}"))
        })?;
        if !columns.insert(text) {
            return refused(format!("source {name}: encrypted_columns[{at}] {text:?} is listed twice"));
        }
    }
    Ok(())
}

/// An empty name would silently match nothing.
fn check_elements(source: &SourceConfig, list: &str, elements: &[String]) -> Result<()> {
    match elements.iter().position(String::is_empty) {
        Some(at) => refused(format!("source {}: {list}[{at}] is empty", source.name)),
        None => Ok(()),
    }
}

/// The name becomes a folder in archives.
fn check_files(source: &SourceConfig) -> Result<()> {
    let name = &source.name;
    if !name.bytes().all(is_plain) {
        return refused(format!("source {name}: the name of a files source is made of a-z, 0-9, _ and -"));
    }
    if source.url.is_some() || source.url_file.is_some() {
        return refused(format!("source {name}: a files source has a path, no url and no url_file"));
    }
    if source.path.as_ref().is_none_or(|path| path.as_os_str().is_empty()) {
        return refused(format!("source {name}: a files source needs a path"));
    }
    if let Some(owner) = &source.restore_owner
        && owner.split_once(':').is_none_or(|(user, group)| !is_owner(user) || !is_owner(group))
    {
        return refused(format!(
            "source {name}: restore_owner {owner:?} is not of the form user:group, with names or numbers"
        ));
    }
    if source.optional.len() > 1 {
        return refused(format!("source {name}: a files source belongs to one optional group as a whole"));
    }
    Ok(())
}

/// The name or number of a user or group; only the host knows whether it exists.
fn is_owner(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 256
        && !part.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control())
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

/// Refuses options that do not apply to the source's kind, because they would have no effect.
fn check_kind_options(source: &SourceConfig) -> Result<()> {
    let kind = source.kind;
    let is_service = kind == SourceKind::Grpc;
    let is_database = matches!(kind, SourceKind::Sqlite | SourceKind::Postgres);
    for (option, given, fits) in [
        ("temp_copy", source.temp_copy, kind == SourceKind::Sqlite),
        ("schemas", !source.schemas.is_empty(), kind == SourceKind::Postgres),
        ("path", source.path.is_some(), kind == SourceKind::Files),
        ("exclude", !source.exclude.is_empty(), is_database),
        ("migrations_table", source.migrations_table.is_some(), is_database),
        ("migrations_column", source.migrations_column.is_some(), is_database),
        ("restore_url_file", source.restore_url_file.is_some(), is_database),
        ("restore_owner", source.restore_owner.is_some(), kind == SourceKind::Files),
        ("optional", !source.optional.is_empty(), !is_service),
        ("table_prefix", source.table_prefix.is_some(), kind != SourceKind::Files),
        ("encrypted_columns", !source.encrypted_columns.is_empty(), is_database),
        ("token_file", source.token_file.is_some(), is_service),
        ("ca_file", source.ca_file.is_some(), is_service),
        ("plaintext", source.plaintext, is_service),
    ] {
        if given && !fits {
            let (name, kind) = (&source.name, kind.name());
            return refused(format!("source {name}: {option} does not apply to sources of kind {kind}"));
        }
    }
    if source.migrations_column.is_some() && source.migrations_table.is_none() {
        let name = &source.name;
        return refused(format!("source {name}: migrations_column has no effect without migrations_table"));
    }
    if is_service && source.token_file.is_none() {
        return refused(format!("source {}: a grpc source needs a token_file", source.name));
    }
    Ok(())
}

fn check_groups(sources: &[SourceConfig]) -> Result<()> {
    let mut owners: HashMap<&str, &str> = HashMap::from([(VAULT_GROUP, VAULT_NAME)]);
    for source in sources {
        let mut tables = HashSet::new();
        for (at, group) in source.optional.iter().enumerate() {
            check_group(source, at, group)?;
            if let Some(owner) = owners.insert(&group.name, &source.name) {
                let (group, name) = (&group.name, &source.name);
                return refused(format!("optional group {group:?} is named twice: by {owner} and by {name}"));
            }
            for table in &group.tables {
                if !tables.insert(table) {
                    let name = &source.name;
                    return refused(format!("source {name}: table {table:?} is in two optional groups"));
                }
            }
        }
    }
    Ok(())
}

fn check_group(source: &SourceConfig, at: usize, group: &OptionalGroup) -> Result<()> {
    let (name, group_name) = (&source.name, &group.name);
    if group_name.is_empty() || group_name.len() > 60 || !group_name.bytes().all(is_plain) {
        return refused(format!(
            "source {name}: optional[{at}] {group_name:?} needs a name of 1 to 60 characters a-z, 0-9, _ and -"
        ));
    }
    if source.kind == SourceKind::Files {
        return check_files_group(source, group);
    }
    if group.tables.is_empty() {
        return refused(format!("source {name}: the optional group {group_name:?} has no tables"));
    }
    if group.time_column.as_deref() == Some("") {
        return refused(format!("source {name}: the time_column of {group_name:?} is empty; leave it out"));
    }
    check_elements(source, &format!("optional[{at}].tables"), &group.tables)?;
    match group.tables.iter().find(|table| source.exclude.contains(table)) {
        Some(table) => refused(format!(
            "source {name}: table {table:?} is both excluded and in the optional group {group_name:?}"
        )),
        None => Ok(()),
    }
}

fn check_files_group(source: &SourceConfig, group: &OptionalGroup) -> Result<()> {
    if group.tables.is_empty() && group.time_column.is_none() {
        return Ok(());
    }
    let (name, group) = (&source.name, &group.name);
    refused(format!(
        "source {name}: the group {group:?} is the whole directory: remove tables and time_column"
    ))
}

fn refused(problem: String) -> Result<()> {
    Err(Error::Config(problem))
}

#[cfg(test)]
mod tests;
