//! Requests for restores, checked field by field.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::plan_restore_request::Archive;

use super::request::check_names;
use crate::error::{Error, Result};
use crate::restore::record::{ArchiveFacts, Origin, Request, RequestMode};
use crate::restore::rows::Key;
use crate::vault_client::SigningKey;

/// Maximum number of chosen rows of all tables together.
const MAX_ROWS: usize = 10_000;
/// Maximum length of an id in bytes. Ours have 36.
const MAX_ID: usize = 64;
/// Maximum number of bytes of a signer file.
const MAX_SIGNER: usize = 64 << 10;
/// Number of digits of a key version's id.
const KID: usize = 16;

/// # Errors
/// [`Error::Field`].
pub(super) fn check_id(id: &str, field: &'static str) -> Result<()> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.is_empty() || id.len() > MAX_ID || !plain {
        return Err(Error::field(field, "must be an id: 1 to 64 letters, digits and hyphens"));
    }
    Ok(())
}

/// # Errors
/// [`Error::Field`].
pub(super) fn parse_plan(request: proto::PlanRestoreRequest, creator: &str) -> Result<Request> {
    let mode = match request.mode() {
        proto::RestoreMode::IntoEmpty => RequestMode::IntoEmpty,
        proto::RestoreMode::Merge => RequestMode::Merge,
        proto::RestoreMode::Replace => RequestMode::Replace,
        proto::RestoreMode::Unspecified => {
            return Err(Error::field("mode", "must be INTO_EMPTY, MERGE or REPLACE"));
        }
    };
    let origin = match request.archive {
        Some(Archive::BackupId(id)) => {
            check_id(&id, "backup_id")?;
            Origin::Backup(id)
        }
        Some(Archive::UploadId(id)) => {
            check_id(&id, "upload_id")?;
            Origin::Upload(id)
        }
        None => return Err(Error::field("archive", "must be a backup_id or an upload_id")),
    };
    check_names("sources", &request.sources)?;
    check_names("tables", &request.tables)?;
    let rows = parse_rows(&request.rows)?;
    let chosen = rows.keys().filter(|table| !request.tables.contains(table)).cloned().collect::<Vec<_>>();
    if request.create_tables && mode != RequestMode::IntoEmpty {
        return Err(Error::field("create_tables", "is for the mode INTO_EMPTY only"));
    }
    if !request.from_deployment.is_empty() {
        check_id(&request.from_deployment, "from_deployment")?;
    }
    if request.revive_ids.len() > MAX_ROWS {
        return Err(Error::field("revive_ids", format!("has more than {MAX_ROWS} ids")));
    }
    for (at, id) in request.revive_ids.iter().enumerate() {
        check_id(id, "revive_ids")
            .map_err(|_| Error::element("revive_ids", at, "is not the id of a credential"))?;
    }
    Ok(Request {
        origin,
        mode,
        sources: request.sources,
        tables: request.tables.into_iter().chain(chosen).collect(),
        rows,
        create_tables: request.create_tables,
        accept_cascade: request.accept_cascade,
        accept_pause: request.accept_pause,
        accept_undecryptable: request.accept_undecryptable,
        from_deployment: request.from_deployment,
        revive_ids: request.revive_ids,
        as_copy: request.as_copy,
        grantee: None,
        grant: String::new(),
        archive: ArchiveFacts::default(),
        confirm: String::new(),
        creator: creator.to_owned(),
        fingerprints: BTreeMap::new(),
        schedules: Vec::new(),
    })
}

/// # Errors
/// [`Error::Field`].
fn parse_rows(chosen: &[proto::ChosenRows]) -> Result<BTreeMap<String, BTreeSet<Key>>> {
    if chosen.iter().map(|one| one.keys.len()).sum::<usize>() > MAX_ROWS {
        return Err(Error::field("rows", format!("has more than {MAX_ROWS} keys; restore the tables whole")));
    }
    let mut rows: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
    for (at, one) in chosen.iter().enumerate() {
        if one.table.is_empty() || one.keys.is_empty() {
            return Err(Error::element("rows", at, "must have a table and at least one key"));
        }
        for key in &one.keys {
            let parsed: Option<Key> = serde_json::from_str(key).ok();
            let parsed = parsed.filter(|key| !key.is_empty()).ok_or_else(|| {
                Error::element("rows", at, format!("{key:?} is not a JSON array of strings such as [\"7\"]"))
            })?;
            rows.entry(one.table.clone()).or_default().insert(parsed);
        }
    }
    Ok(rows)
}

/// Parses lines of a key version and 64 hex digits; empty lines and those that begin with `#` are skipped.
///
/// # Errors
/// [`Error::Field`].
pub(super) fn parse_signers(text: &str) -> Result<Vec<SigningKey>> {
    if text.len() > MAX_SIGNER {
        return Err(Error::field(
            "signer",
            format!("has {} bytes; at most {MAX_SIGNER} are allowed", text.len()),
        ));
    }
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| parse_signer(line).ok_or_else(|| bad_line(at))).collect()
}

fn bad_line(at: usize) -> Error {
    Error::field("signer", format!("line {} is not a key version and 64 hex digits", at + 1))
}

fn parse_signer(line: &str) -> Option<SigningKey> {
    let (kid, public) = line.split_once(' ')?;
    let is_kid = kid.len() == KID && kid.bytes().all(|digit| digit.is_ascii_hexdigit());
    let public = hex::decode(public).ok()?.try_into().ok()?;
    is_kid.then(|| SigningKey { kid: kid.to_ascii_lowercase(), public })
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_signer_file_is_read_line_by_line() {
        let line = format!("0123456789ABCDEF {}", "ab".repeat(32));
        let keys = parse_signers(&format!("# ours\n\n {line}\r\n")).unwrap();
        assert_eq!((keys.len(), keys[0].kid.as_str()), (1, "0123456789abcdef"));
        for bad in ["x", &line[1..], &format!("{line}00")] {
            assert!(parse_signers(bad).is_err(), "{bad:?}");
        }
        assert!(parse_signers(&"#\n".repeat(MAX_SIGNER)).is_err());
        assert!(parse_signers("").unwrap().is_empty());
    }
}
