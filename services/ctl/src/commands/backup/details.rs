//! A stored backup for people.

use indicatif::HumanBytes;
use strongroom_api::backup::v1::{
    Backup, BackupCopy, BackupCopyState, BackupSelection, BackupState, BackupVerification,
};

use crate::output::{Table, key_values};
use crate::time::shown;

/// All details.
pub(super) fn text(backup: &Backup) -> String {
    let mut text = key_values(head(backup));
    if !backup.copies.is_empty() {
        let mut copies = Table::new(&["DESTINATION", "STATE", "KEY", "PROBLEM"]);
        for copy in &backup.copies {
            copies.row([&*copy.destination, copy_state(copy.state()), &copy.key, &problem_of(copy)]);
        }
        text.push_str(&format!("\n{copies}"));
    }
    text
}

fn head(backup: &Backup) -> Vec<(&'static str, String)> {
    let mut head = vec![
        ("id", backup.id.clone()),
        ("file", backup.file_name.clone()),
        ("state", state(backup.state()).to_owned()),
        ("creator", backup.creator.clone()),
        ("created", shown(backup.create_time.as_ref())),
    ];
    if backup.end_time.is_some() {
        head.push(("ended", shown(backup.end_time.as_ref())));
    }
    if !backup.reason.is_empty() || !backup.problem.is_empty() {
        head.push(("problem", with_reason(&backup.problem, &backup.reason)));
    }
    head.extend(backup.selection.iter().flat_map(selection));
    if let Some(content) = &backup.content {
        let (tables, rows, files) = (content.tables, content.rows, content.files);
        head.push(("size", format!("{} bytes", content.size_bytes)));
        head.push(("sha256", content.sha256.clone()));
        head.push(("content", format!("{tables} tables, {rows} rows, {files} files")));
        head.push(("root key", content.root_key_id.clone()));
        head.extend(content.anomalies.iter().map(|anomaly| ("unusual", anomaly.clone())));
    }
    head.push(("hold", backup.hold.to_string()));
    if backup.delete_time.is_some() {
        head.push(("deleted", shown(backup.delete_time.as_ref())));
        head.push(("gone from", shown(backup.purge_time.as_ref())));
    }
    head.push(("verified", backup.verification.as_ref().map(verified_in).unwrap_or_default()));
    head
}

fn selection(selection: &BackupSelection) -> Vec<(&'static str, String)> {
    let mut asked = vec![("seal", selection.seal.clone())];
    if !selection.include.is_empty() {
        asked.push(("include", selection.include.join(", ")));
    }
    if !selection.tables.is_empty() {
        asked.push(("only tables", selection.tables.join(", ")));
    }
    if selection.since.is_some() {
        asked.push(("since", shown(selection.since.as_ref())));
    }
    asked
}

/// `PROBLEM [REASON]`, or only one of the two.
pub(in crate::commands) fn with_reason(problem: &str, reason: &str) -> String {
    match (problem, reason) {
        (problem, "") => problem.to_owned(),
        ("", reason) => reason.to_owned(),
        (problem, reason) => format!("{} [{reason}]", problem.trim_end_matches('.')),
    }
}

pub(super) fn problem_of(copy: &BackupCopy) -> String {
    with_reason(&copy.problem, &copy.reason)
}

/// For a cell of a printed list.
pub(super) fn verified(verification: &BackupVerification) -> String {
    let time = shown(verification.time.as_ref());
    if verification.ok { time } else { format!("failed {time}") }
}

fn verified_in(verification: &BackupVerification) -> String {
    format!("{}, in {}", verified(verification), verification.destination)
}

/// For a cell of a printed list: an intact copy is shown by its destination's name only.
pub(super) fn destinations(backup: &Backup) -> String {
    let name = |copy: &BackupCopy| match copy.state() {
        BackupCopyState::Stored => copy.destination.clone(),
        other => format!("{} ({})", copy.destination, copy_state(other)),
    };
    backup.copies.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// For a cell of a printed list; empty if unknown.
pub(super) fn size(backup: &Backup) -> String {
    let bytes = backup.content.as_ref().and_then(|content| u64::try_from(content.size_bytes).ok());
    bytes.map(|bytes| HumanBytes(bytes).to_string()).unwrap_or_default()
}

pub(in crate::commands) fn state(state: BackupState) -> &'static str {
    match state {
        BackupState::Unspecified => "",
        BackupState::Creating => "creating",
        BackupState::Available => "available",
        BackupState::Failed => "failed",
        BackupState::Deleted => "deleted",
        BackupState::Deleting => "deleting",
        BackupState::Unverified => "unverified",
    }
}

pub(super) fn copy_state(state: BackupCopyState) -> &'static str {
    match state {
        BackupCopyState::Unspecified => "",
        BackupCopyState::Uploading => "uploading",
        BackupCopyState::Stored => "stored",
        BackupCopyState::Failed => "failed",
        BackupCopyState::Aborting => "aborting",
        BackupCopyState::Deleting => "deleting",
        BackupCopyState::Deleted => "deleted",
        BackupCopyState::Missing => "missing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(destination: &str, state: BackupCopyState, problem: &str) -> BackupCopy {
        let reason = if problem.is_empty() { "" } else { "DESTINATION_DENIED" };
        BackupCopy {
            destination: destination.into(),
            state: state.into(),
            key: "app/1.zip.age".into(),
            reason: reason.into(),
            problem: problem.into(),
        }
    }

    #[test]
    fn each_copy_has_its_state_and_its_problem() {
        let copies = vec![
            copy("local", BackupCopyState::Stored, ""),
            copy("offsite", BackupCopyState::Deleting, "the bucket\nrefuses."),
        ];
        let backup = Backup { copies, ..Backup::default() };
        assert_eq!(destinations(&backup), "local, offsite (deleting)");
        let text = text(&backup);
        assert!(
            text.contains("offsite      deleting  app/1.zip.age  the bucket\\nrefuses [DESTINATION_DENIED]"),
            "{text}"
        );
    }

    #[test]
    fn a_verification_that_failed_is_not_read_as_one_that_passed() {
        let time = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
        let passed = BackupVerification { time, ok: true, ..BackupVerification::default() };
        assert_eq!(verified(&passed), "1970-01-01T00:00:00Z");
        assert_eq!(verified(&BackupVerification { ok: false, ..passed }), "failed 1970-01-01T00:00:00Z");
    }
}
