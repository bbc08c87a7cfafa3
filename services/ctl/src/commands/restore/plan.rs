//! `strongroom restore plan`: what a restore would do.

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::plan_restore_response::Message;
use strongroom_api::backup::v1::{
    PlanRestoreRequest, PlanRestoreResponse, Restore, RestoreMode, RestoreState,
};
use tokio_stream::StreamExt as _;
use tonic::{Request, Status, Streaming};

use super::{RESTORE, outcome, plan_text, upload, words};
use crate::cli::PlanRestore;
use crate::client::{self, Connection};
use crate::commands::archive::Signer;
use crate::commands::archive_or_backup;
use crate::commands::interruption::unless_interrupted;
use crate::commands::progress::Progress;
use crate::commands::retries::{Retries, is_gone};
use crate::error::WrongUsage;
use crate::input::Input;
use crate::output::Format;

/// # Errors
/// Also for a refused restore; the reason is then on standard output.
pub(super) async fn run(plan: PlanRestore, format: Format) -> Result<()> {
    let id = archive_or_backup::id_of(&plan.archive)?;
    let mut request = request(&plan)?;
    let service = client::backup()?;
    let planning = async {
        let uploaded = match id {
            Some(id) => {
                request.archive = Some(Archive::BackupId(id));
                None
            }
            None => {
                let input = Input::of(&plan.archive)?;
                let id = upload::send(&service, &input).await.with_context(|| input.name())?;
                request.archive = Some(Archive::UploadId(id.clone()));
                Some(id)
            }
        };
        let planned = planned(&service, request).await;
        let is_of_use = planned.as_ref().is_ok_and(|restore| restore.state() == RestoreState::Planned);
        if let Some(id) = uploaded.filter(|_| !is_of_use) {
            upload::delete(&service, id).await;
        }
        planned
    };
    let restore = unless_interrupted(planning, "nothing was planned, and nothing was changed").await?;
    format.message(RESTORE, &restore, || plan_text::text(&restore))?;
    outcome::judge_plan(&restore)
}

/// The whole request except the archive.
fn request(plan: &PlanRestore) -> Result<PlanRestoreRequest> {
    let mode = RestoreMode::from(plan.mode);
    ensure!(
        !plan.create_tables || mode == RestoreMode::IntoEmpty,
        WrongUsage::new("--create-tables works only with --mode into-empty: the other modes need the tables")
    );
    ensure!(
        plan.rows.is_empty() || mode != RestoreMode::Replace,
        WrongUsage::new(
            "--rows cannot be combined with --mode replace, which would remove all other rows; use --mode merge"
        )
    );
    let signer = plan.signer.as_deref().map(Signer::read_file).transpose()?;
    Ok(PlanRestoreRequest {
        archive: None,
        mode: mode.into(),
        sources: plan.sources.clone(),
        tables: plan.tables.clone(),
        rows: plan.rows.clone(),
        create_tables: plan.create_tables,
        accept_cascade: plan.accepted.cascade,
        accept_pause: plan.accepted.pause,
        accept_undecryptable: plan.accepted.undecryptable,
        from_deployment: plan.from_deployment.clone().unwrap_or_default(),
        signer: signer.map(|signer| signer.lines()).unwrap_or_default(),
        revive_ids: plan.revive.clone(),
        as_copy: plan.as_copy,
    })
}

/// Plans, and plans again if the connection breaks: a plan changes nothing, and an upload is worth keeping.
async fn planned(service: &Connection, request: PlanRestoreRequest) -> Result<Restore> {
    let progress = Progress::of_restore();
    let mut retries = Retries::new();
    // Without an upload, there is no reason to wait for a service that is not there.
    let mut is_running = matches!(request.archive, Some(Archive::UploadId(_)));
    loop {
        let ended = match service.restores().plan_restore(Request::new(request.clone())).await {
            Ok(opened) => {
                is_running = true;
                receive(opened.into_inner(), &progress).await?
            }
            Err(status) => Err(status),
        };
        let status = match ended {
            Ok(restore) => return Ok(restore),
            Err(status) => status,
        };
        let failed = service.failed(&status);
        if !(is_running && is_gone(&status, &failed) && retries.another().await) {
            return Err(failed.into());
        }
    }
}

async fn receive(
    mut stream: Streaming<PlanRestoreResponse>,
    progress: &Progress,
) -> Result<Result<Restore, Status>> {
    let mut restore = None;
    while let Some(next) = stream.next().await {
        let next = match next {
            Ok(next) => next,
            Err(status) => return Ok(Err(status)),
        };
        ensure!(restore.is_none(), "the backup service sent more after the plan");
        match next.message {
            Some(Message::Progress(now)) => progress.restored(words::phase(&now.phase), &now),
            Some(Message::Restore(last)) => restore = Some(last),
            None => bail!("the backup service sent a message that this release does not support"),
        }
    }
    restore.map(Ok).context("the backup service ended without a plan; try again")
}
