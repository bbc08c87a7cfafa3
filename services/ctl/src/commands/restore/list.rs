//! `strongroom restore list`.

use anyhow::Result;
use strongroom_api::backup::v1::{ListRestoresRequest, Restore, RestoreState};

use super::{RESTORE, words};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table};
use crate::time::shown;

pub(super) async fn run(format: Format) -> Result<()> {
    let restores = all(&client::backup()?).await?;
    format.list(RESTORE, &restores, || table(&restores))
}

/// All pages.
async fn all(service: &Connection) -> Result<Vec<Restore>> {
    let mut request = ListRestoresRequest { page_size: PAGE_SIZE, page_token: String::new() };
    let mut restores = Vec::new();
    loop {
        let page = service.answer(service.restores().list_restores(unary(request.clone()))).await?;
        restores.extend(page.restores);
        if page.next_page_token.is_empty() {
            return Ok(restores);
        }
        request.page_token = page.next_page_token;
    }
}

fn table(restores: &[Restore]) -> Table {
    let mut table = Table::new(&["ID", "PLANNED", "STATE", "MODE", "SOURCES", "UNTIL", "ARCHIVE"]);
    for restore in restores {
        table.row([
            &*restore.id,
            &shown(restore.create_time.as_ref()),
            words::state(restore.state()),
            words::mode(restore.mode()),
            &restore.sources.join(", "),
            &until(restore),
            &restore.file_name,
        ]);
    }
    table
}

/// When it can no longer be applied or rolled back.
fn until(restore: &Restore) -> String {
    match restore.state() {
        RestoreState::Planned => format!("apply {}", shown(restore.expire_time.as_ref())),
        RestoreState::Applied if restore.rollback_expire_time.is_some() => {
            format!("rollback {}", shown(restore.rollback_expire_time.as_ref()))
        }
        _ => String::new(),
    }
}
