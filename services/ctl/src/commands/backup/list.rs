//! `strongroom backup list`.

use anyhow::Result;
use clap::ValueEnum as _;
use strongroom_api::backup::v1::{Backup, BackupState, ListBackupsRequest};

use super::details;
use super::stored::BACKUP;
use crate::cli::{ListBackups, ListedState};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table};
use crate::time::shown;

pub(super) async fn run(list: ListBackups, format: Format) -> Result<()> {
    let backups = all(&client::backup()?, states(&list)).await?;
    format.list(BACKUP, &backups, || table(&backups))
}

/// An empty list means all but deleted ones.
fn states(list: &ListBackups) -> Vec<BackupState> {
    let states = if list.deleted { ListedState::value_variants() } else { &list.states };
    states.iter().map(|state| BackupState::from(*state)).collect()
}

/// All pages.
pub(in crate::commands) async fn all(service: &Connection, states: Vec<BackupState>) -> Result<Vec<Backup>> {
    let states = states.into_iter().map(i32::from).collect();
    let mut request = ListBackupsRequest { states, page_size: PAGE_SIZE, page_token: String::new() };
    let mut backups = Vec::new();
    loop {
        let page = service.answer(service.backups().list_backups(unary(request.clone()))).await?;
        backups.extend(page.backups);
        if page.next_page_token.is_empty() {
            return Ok(backups);
        }
        request.page_token = page.next_page_token;
    }
}

pub(in crate::commands) fn table(backups: &[Backup]) -> Table {
    let mut table =
        Table::new(&["ID", "CREATED", "STATE", "SIZE", "DESTINATIONS", "VERIFIED", "HOLD", "FILE"]);
    for backup in backups {
        table.row([
            &*backup.id,
            &shown(backup.create_time.as_ref()),
            details::state(backup.state()),
            &details::size(backup),
            &details::destinations(backup),
            &backup.verification.as_ref().map(details::verified).unwrap_or_default(),
            if backup.hold { "hold" } else { "" },
            &backup.file_name,
        ]);
    }
    table
}
