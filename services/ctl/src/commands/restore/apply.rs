//! `strongroom restore apply`.

use anyhow::{Context as _, Result, ensure};
use strongroom_api::backup::v1::{ApplyRestoreRequest, Restore, RestoreMode, RestoreState};
use strongroom_api::source::v1::RestoreGrant;
use strongroom_api::vault::v1::{IssueRestoreGrantRequest, RestoreTerms};
use tokio_stream::StreamExt as _;
use tonic::Request;

use super::{begun, details, get, outcome, plan_text, print};
use crate::cli::ApplyRestore;
use crate::client::{self, unary};
use crate::commands::confirmation;
use crate::error::WrongUsage;
use crate::output::{Format, key_values};
use crate::time::length_to_wire;

/// # Errors
/// Also for a restore that failed; the reason is then on standard output too.
pub(super) async fn run(apply: ApplyRestore, format: Format) -> Result<()> {
    let ApplyRestore { id, confirm, max_pause } = apply;
    let service = client::backup()?;
    let planned = get(&service, id.clone()).await?;
    let confirm = match confirm {
        Some(confirm) => confirm,
        None => confirmed(&planned)?,
    };
    let grant = match &planned.grant_terms {
        Some(terms) => Some(granted(terms).await?),
        None => None,
    };
    let max_pause = max_pause.map(length_to_wire);
    let request = Request::new(ApplyRestoreRequest { id: id.clone(), confirm, max_pause, grant });
    let call = async {
        let stream = service.restores().apply_restore(request).await?.into_inner();
        Ok(stream.map(|answer| answer.map(|answer| answer.restore)))
    };
    let ended = begun::to_its_end(&service, &id, RestoreState::Planned, call).await?;
    print(&ended, format)?;
    outcome::judge_applied(&ended)
}

/// The target's name, from an operator who has read what will be lost; empty if the plan needs none. The service
/// refuses anything that is not a plan.
fn confirmed(restore: &Restore) -> Result<String> {
    if restore.state() != RestoreState::Planned || restore.confirm.is_empty() {
        return Ok(String::new());
    }
    ensure!(
        confirmation::is_possible(),
        WrongUsage::new(
            "this needs --confirm TARGET, as `restore plan` prints it: standard input or standard error is \
             not a terminal, so nobody can be asked"
        )
    );
    confirmation::ask_for(&restore.confirm, &loss(restore), "restore it")?;
    Ok(restore.confirm.clone())
}

/// The vault's grant to the backup service: to change the vault once, for this restore, because an operator with the
/// right to restore it asks for that.
async fn granted(terms: &RestoreTerms) -> Result<RestoreGrant> {
    let vault = client::vault()?;
    let request = unary(IssueRestoreGrantRequest { terms: Some(terms.clone()) });
    let answer = vault.answer(vault.restore_grants().issue_restore_grant(request)).await;
    let answer = answer.context("cannot get the vault's grant that this restore needs")?;
    answer.grant.context("the vault answered without a grant")
}

fn loss(restore: &Restore) -> String {
    let shown = key_values(plan_text::head(restore));
    let rows = details::planned_rows(restore);
    let lost = match restore.mode() {
        RestoreMode::Replace => {
            "rows under REMOVED are gone afterwards, those under CHANGED become the archive's"
        }
        RestoreMode::Unspecified | RestoreMode::IntoEmpty | RestoreMode::Merge => {
            "existing rows stay as they are"
        }
    };
    format!(
        "{shown}{rows}\n{lost}\na backup of the tables is stored first; `strongroom restore rollback` can \
         undo the restore for a day"
    )
}
