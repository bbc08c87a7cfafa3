//! The initial rows of a backup.

use sha2::{Digest as _, Sha256};
use strongroom_runtime::Caller;

use super::super::record::{Selection, to_json};
use super::{KIND, Run};
use crate::assembly::Assembly;
use crate::error::{Error, Result};
use crate::membership::Member;
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, OperationRow};

pub(super) fn backup_row(
    caller: &Caller,
    assembly: &Assembly,
    selection: &Selection,
    (request, run): (Option<String>, Option<&Run>),
) -> BackupRow {
    BackupRow {
        id: assembly.archive_id.clone(),
        file_name: assembly.file_name.clone(),
        state: BackupState::Creating,
        creator: caller.principal.id.clone(),
        request,
        create_time: assembly.time.as_microsecond(),
        end_time: None,
        reason: String::new(),
        problem: String::new(),
        selection: to_json(selection),
        content: String::new(),
        hold: false,
        delete_time: None,
        purge_time: None,
        verify_time: None,
        verification: String::new(),
        progress: String::new(),
        revision: 1,
        record_revision: 1,
        schedule: run.map(|run| run.turn.schedule.name.clone()),
        due_time: run.and_then(|run| run.due_time),
    }
}

pub(super) fn copy_row(assembly: &Assembly, position: usize, destination: &str) -> CopyRow {
    CopyRow {
        backup_id: assembly.archive_id.clone(),
        destination: destination.to_owned(),
        position: position as i64,
        key: key(assembly),
        state: CopyState::Uploading,
        reason: String::new(),
        problem: String::new(),
        upload_id: String::new(),
        etag: String::new(),
        recorded: 0,
    }
}

/// Sorts by time and is unique to the archive: `<app>-backup-<time>-<id>.zip.age`.
fn key(assembly: &Assembly) -> String {
    let (name, id) = (&assembly.file_name, &assembly.archive_id);
    match name.split_once(".zip") {
        Some((stem, sealed)) => format!("{stem}-{id}.zip{sealed}"),
        None => format!("{name}-{id}"),
    }
}

pub(super) fn operation_row(caller: &Caller, assembly: &Assembly, member: &Member) -> OperationRow {
    OperationRow {
        id: assembly.archive_id.clone(),
        kind: KIND.name.to_owned(),
        owner: member.id.clone(),
        fence: 1,
        delegation: caller.principal.delegation.expose().to_vec(),
        target: assembly.file_name.clone(),
        trace_id: caller.trace_id.clone(),
        start_time: assembly.time.as_microsecond(),
    }
}

/// Identifies a repeated request of the same caller.
pub(super) fn request_of(caller: &Caller, request_id: &str) -> Result<Option<String>> {
    if request_id.is_empty() {
        return Ok(None);
    }
    if uuid::Uuid::parse_str(request_id).is_err() {
        return Err(Error::field("request_id", "must be a UUID, or empty"));
    }
    let both = format!("{}\n{}", caller.principal.id, request_id.to_lowercase());
    Ok(Some(hex::encode(Sha256::digest(both))))
}
