//! The calls that answer with one stored backup.

use anyhow::{Context as _, Result};
use strongroom_api::backup::v1::{
    Backup, DeleteBackupRequest, GetBackupRequest, HoldBackupRequest, ReleaseBackupRequest,
    UndeleteBackupRequest,
};

use super::details;
use crate::client::{Connection, long, unary};
use crate::commands::left_out;
use crate::output::Format;

/// The message's name.
pub(super) const BACKUP: &str = "strongroom.backup.v1.Backup";

pub(super) async fn get(service: &Connection, id: String) -> Result<Backup> {
    let request = unary(GetBackupRequest { id });
    known(service.answer(service.backups().get_backup(request)).await?.backup)
}

/// Deletes it only while its etag is `etag`, unless that is empty.
pub(super) async fn delete(service: &Connection, id: String, etag: String) -> Result<Backup> {
    let request = long(DeleteBackupRequest { id, etag });
    known(service.answer(service.backups().delete_backup(request)).await?.backup)
}

pub(super) async fn undelete(service: &Connection, id: String) -> Result<Backup> {
    let request = long(UndeleteBackupRequest { id });
    known(service.answer(service.backups().undelete_backup(request)).await?.backup)
}

pub(super) async fn hold(service: &Connection, id: String) -> Result<Backup> {
    let request = long(HoldBackupRequest { id });
    known(service.answer(service.backups().hold_backup(request)).await?.backup)
}

pub(super) async fn release(service: &Connection, id: String) -> Result<Backup> {
    let request = long(ReleaseBackupRequest { id });
    known(service.answer(service.backups().release_backup(request)).await?.backup)
}

pub(super) fn known(backup: Option<Backup>) -> Result<Backup> {
    backup.context("the backup service answered without a backup")
}

/// Prints all details; the parts that it lacks go to standard error, as after an export.
pub(in crate::commands) fn print_one(format: Format, backup: &Backup) -> Result<()> {
    format.message(BACKUP, backup, || details::text(backup))?;
    if let Some(content) = &backup.content {
        left_out::say(&content.left_out, content.left_out_total);
    }
    Ok(())
}
