//! Converts stored backups between the wire and the catalogue.

use std::pin::Pin;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::export_backup_response::Progress as ProgressMessage;
use strongroom_api::time::timestamp;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::request::check_id;
use super::watch::Seen;
use crate::assembly::Estimate;
use crate::backups::catalogue::etag;
use crate::backups::destinations::parts::PartSize;
use crate::backups::record::{Content, Progress, Selection, Verified, from_json};
use crate::error::{Error, Result};
use crate::operation::Replies;
use crate::store::{BackupFilter, BackupRow, BackupState, CopyRow, CopyState, StoredBackup};

/// Default page size.
const USUAL_PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 1000;
/// Maximum number of bytes of the backups of a page, so that an answer stays below 4 MiB.
const MOST_BYTES: usize = 2 << 20;
/// Size of a backup or a copy, without its texts.
const OVERHEAD: usize = 400;
/// States that are listed by default.
const LISTED: [BackupState; 5] = [
    BackupState::Creating,
    BackupState::Available,
    BackupState::Failed,
    BackupState::Deleting,
    BackupState::Unverified,
];

/// A requested page.
pub(super) struct Page {
    pub(super) filter: BackupFilter,
    pub(super) size: i64,
}

/// # Errors
/// [`Error::Field`].
pub(super) fn page(request: &proto::ListBackupsRequest) -> Result<Page> {
    let size = match request.page_size {
        negative if negative < 0 => return Err(Error::field("page_size", "must not be negative")),
        0 => USUAL_PAGE,
        size => i64::from(size).min(LARGEST_PAGE),
    };
    let mut states = Vec::new();
    for (at, state) in request.states.iter().enumerate() {
        let known =
            usize::try_from(*state).ok().and_then(|state| BackupState::ALL.get(state.checked_sub(1)?));
        let unknown = || Error::element("states", at, "is not a state of a backup");
        let known = *known.ok_or_else(unknown)?;
        // Each state once, however long the list is: a statement has a limited number of parameters.
        if !states.contains(&known) {
            states.push(known);
        }
    }
    if states.is_empty() {
        states = LISTED.to_vec();
    }
    let before = match request.page_token.as_str() {
        "" => None,
        token => Some(parse_token(token, &states)?),
    };
    Ok(Page { filter: BackupFilter { states, before, ..BackupFilter::default() }, size })
}

/// The first of `found`, as many as a client's default limit of 4 MiB allows. The token of the next page is empty if there
/// is none. Left-out items are only counted.
pub(super) fn answer_page(mut found: Vec<StoredBackup>, page: &Page) -> proto::ListBackupsResponse {
    let was_full = found.len() as i64 == page.size;
    let mut bytes = 0;
    let fitting = found.iter().take_while(|backup| {
        bytes += size_in_list(backup);
        bytes <= MOST_BYTES
    });
    // One always fits, because the names in a request are limited.
    let fitting = fitting.count().max(1);
    let is_last = !was_full && fitting >= found.len();
    found.truncate(fitting);
    let next_page_token = match found.last() {
        Some(last) if !is_last => token(last, &page.filter.states),
        _ => String::new(),
    };
    let backups = found.into_iter().map(listed);
    proto::ListBackupsResponse { backups: backups.collect(), next_page_token }
}

fn size_in_list(backup: &StoredBackup) -> usize {
    let row = &backup.row;
    let texts =
        [&row.selection, &row.verification, &row.progress, &row.problem, &row.creator, &row.file_name];
    let copies = backup.copies.iter().map(|copy| copy.key.len() + copy.problem.len() + OVERHEAD);
    texts.into_iter().map(String::len).sum::<usize>() + copies.sum::<usize>() + OVERHEAD
}

/// It reveals nothing that the page did not contain.
fn token(last: &StoredBackup, states: &[BackupState]) -> String {
    hex::encode(format!("{}/{}/{}", last.row.create_time, last.row.id, names(states)))
}

fn parse_token(token: &str, states: &[BackupState]) -> Result<(i64, String)> {
    let wrong = |problem: &str| Error::field("page_token", problem);
    let strange = || wrong("was not issued by this server; list again from the first page");
    let text = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(strange)?;
    let mut parts = text.splitn(3, '/');
    let (Some(time), Some(id), Some(of)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(strange());
    };
    if of != names(states) {
        return Err(wrong("belongs to a list of other states; list again from the first page"));
    }
    check_id(id).map_err(|_| strange())?;
    Ok((time.parse().map_err(|_| strange())?, id.to_owned()))
}

fn names(states: &[BackupState]) -> String {
    states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(",")
}

/// A backup as an element of a list, without the parts that would make an answer long.
pub(super) fn listed(stored: StoredBackup) -> proto::Backup {
    let mut backup = backup(stored);
    if let Some(content) = &mut backup.content {
        content.left_out.clear();
        content.anomalies.clear();
    }
    backup
}

/// Everything about one backup.
pub(super) fn backup(stored: StoredBackup) -> proto::Backup {
    let StoredBackup { row, copies } = stored;
    let selection: Selection = from_json(&row.selection);
    proto::Backup {
        state: state(row.state).into(),
        create_time: Some(timestamp(row.create_time)),
        end_time: row.end_time.map(timestamp),
        selection: Some(proto::BackupSelection {
            include: selection.include,
            tables: selection.tables,
            since: selection.since.map(|time| timestamp(time.as_microsecond())),
            seal: selection.seal,
        }),
        content: (!row.content.is_empty()).then(|| content(from_json(&row.content))),
        copies: copies.into_iter().map(copy).collect(),
        hold: row.hold,
        delete_time: row.delete_time.map(timestamp),
        purge_time: row.purge_time.map(timestamp),
        verification: verification(&row),
        progress: (!row.progress.is_empty()).then(|| progress(from_json(&row.progress))),
        etag: etag(&row),
        id: row.id,
        file_name: row.file_name,
        creator: row.creator,
        reason: row.reason,
        problem: row.problem,
        schedule: row.schedule.unwrap_or_default(),
        due_time: row.due_time.map(timestamp),
    }
}

/// For a watching client.
pub(super) fn seen(stored: StoredBackup) -> Seen<proto::WatchBackupResponse> {
    let (revision, is_over) = (stored.row.revision, stored.row.state != BackupState::Creating);
    let answer = proto::WatchBackupResponse { backup: Some(backup(stored)) };
    Seen { revision, is_over, answer }
}

fn state(state: BackupState) -> proto::BackupState {
    match state {
        BackupState::Creating => proto::BackupState::Creating,
        BackupState::Available => proto::BackupState::Available,
        BackupState::Failed => proto::BackupState::Failed,
        BackupState::Deleted => proto::BackupState::Deleted,
        BackupState::Deleting => proto::BackupState::Deleting,
        BackupState::Unverified => proto::BackupState::Unverified,
    }
}

fn content(content: Content) -> proto::BackupContent {
    proto::BackupContent {
        size_bytes: content.size_bytes,
        sha256: content.sha256,
        tables: content.tables,
        rows: content.rows,
        files: content.files,
        root_key_id: content.root_key_id,
        left_out: content.left_out.into_iter().map(proto::LeftOut::from).collect(),
        left_out_total: content.left_out_total,
        anomalies: content.anomalies,
    }
}

fn copy(row: CopyRow) -> proto::BackupCopy {
    let state = match row.state {
        CopyState::Uploading => proto::BackupCopyState::Uploading,
        CopyState::Stored => proto::BackupCopyState::Stored,
        CopyState::Failed => proto::BackupCopyState::Failed,
        CopyState::Aborting => proto::BackupCopyState::Aborting,
        CopyState::Deleting => proto::BackupCopyState::Deleting,
        CopyState::Deleted => proto::BackupCopyState::Deleted,
        CopyState::Missing => proto::BackupCopyState::Missing,
    };
    let CopyRow { destination, key, reason, problem, .. } = row;
    proto::BackupCopy { destination, state: state.into(), key, reason, problem }
}

fn verification(row: &BackupRow) -> Option<proto::BackupVerification> {
    let time = row.verify_time?;
    let Verified { ok, destination, levels } = from_json(&row.verification);
    let levels = levels.into_iter().map(|level| proto::LevelVerdict {
        level: level.level,
        outcome: level.outcome,
        problem: level.problem,
    });
    Some(proto::BackupVerification { time: Some(timestamp(time)), ok, destination, levels: levels.collect() })
}

fn progress(progress: Progress) -> ProgressMessage {
    let Progress { table, tables_done, tables_total, rows, file, files_done, files_total } = progress;
    ProgressMessage { table, tables_done, tables_total, rows, file, files_done, files_total }
}

/// Replies of the verification of a stored backup.
pub(crate) type Answers =
    Pin<Box<dyn Stream<Item = Result<proto::VerifyStoredBackupResponse, Status>> + Send>>;

pub(super) fn answers(replies: Replies<proto::VerifyBackupResponse>) -> Answers {
    let wrap = |answer| proto::VerifyStoredBackupResponse { answer: Some(answer) };
    Box::pin(replies.map(move |answer| answer.map(wrap)))
}

/// `likely` is the size of the last backup with the same selection, if there is one.
pub(super) fn estimate(estimate: &Estimate, likely: Option<i64>) -> proto::EstimateBackupResponse {
    let source = |(source, bytes): &(String, Option<u64>)| proto::estimate_backup_response::SourceSize {
        source: source.clone(),
        bytes: bytes.map_or(0, signed),
        known: bytes.is_some(),
    };
    proto::EstimateBackupResponse {
        sources: estimate.sources.iter().map(source).collect(),
        bytes: signed(estimate.bytes()),
        likely_bytes: likely.unwrap_or(0),
        part_bytes: signed(PartSize::for_estimate(estimate.bytes()).bytes()),
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
