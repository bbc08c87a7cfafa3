//! `strongroom restore rollback`.

use anyhow::Result;
use strongroom_api::backup::v1::{Restore, RollbackRestoreRequest};
use tokio_stream::StreamExt as _;
use tonic::Request;

use super::{begun, details, get, outcome, plan_text, print, words};
use crate::cli::RollbackRestore;
use crate::client;
use crate::commands::confirmation;
use crate::output::{Format, key_values};

pub(super) async fn run(rollback: RollbackRestore, format: Format) -> Result<()> {
    let RollbackRestore { restore, discard_changes, confirmation: given } = rollback;
    let id = restore.id;
    let asks = confirmation::is_needed(&given)?;
    let service = client::backup()?;
    let restore = get(&service, id.clone()).await?;
    let before = restore.state();
    if asks {
        confirmation::ask(&loss(&restore, discard_changes), "roll it back")?;
    }
    let request = Request::new(RollbackRestoreRequest { id: id.clone(), discard_changes });
    let call = async {
        let stream = service.restores().rollback_restore(request).await?.into_inner();
        Ok(stream.map(|answer| answer.map(|answer| answer.restore)))
    };
    let ended = begun::to_its_end(&service, &id, before, call).await?;
    print(&ended, format)?;
    outcome::judge_rolled_back(&ended)
}

fn loss(restore: &Restore, discard_changes: bool) -> String {
    let state = [("state", words::state(restore.state()).to_owned())];
    let shown = key_values(state.into_iter().chain(plan_text::head(restore)));
    let changes = if discard_changes {
        "rows that were changed since the restore lose those changes"
    } else {
        "if rows were changed since the restore, nothing is done"
    };
    let rows = details::planned_rows(restore);
    format!("{shown}{rows}\nall rows that the restore has touched return to their state before it\n{changes}")
}
