//! The end: everything is lost but the root key and an archive, which bring it back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::plan_restore_response::Message as PlanMessage;
use strongroom_api::backup::v1::upload_archive_request::{Chunk, End, Header, Message as UploadMessage};
use strongroom_api::backup::v1::{
    ApplyRestoreRequest, PlanRestoreRequest, Restore, RestoreMode, RestoreState, UploadArchiveRequest,
};
use strongroom_api::vault::v1::{
    GetAuditHeadRequest, GetAuditHeadResponse, IssueRestoreGrantRequest, ReissueTokenRequest,
    VerifyAuditLogRequest,
};
use strongroom_runtime::client::Bearer;
use tokio_stream::StreamExt as _;
use tonic::Request;

use super::cast::Cast;
use super::secrets::{self, KEYS};
use crate::client::{Connection, Service, long, unary};
use crate::commands::demo::gateway;
use crate::commands::demo::narrator::Narrator;
use crate::commands::sending::{self, Piece};
use crate::embedded::Embedded;
use crate::output::Table;

const ROOT_KEY: &str = "root.key";

/// The remains after the loss: an archive on a disk, and facts that people remember.
pub(in crate::commands::demo) struct Left {
    archive: PathBuf,
    /// The id of the first of [`KEYS`].
    credential: String,
    gateway_token: (Bearer, String),
    /// The head of the audit log, as somebody wrote it down.
    head: GetAuditHeadResponse,
}

/// Collects the remains before the loss.
pub(super) async fn remember(cast: &Cast, credential: String, archive: PathBuf) -> Result<Left> {
    let head = cast.vault.answer(cast.vault.audit().get_audit_head(unary(GetAuditHeadRequest {}))).await?;
    Ok(Left { archive, credential, gateway_token: cast.gateway_token.clone(), head })
}

/// Removes everything in `folder` but the root key and the archive, which go to `machine`.
pub(in crate::commands::demo) fn lose_everything(
    folder: &Path,
    machine: &Path,
    left: Left,
    narrator: &mut Narrator,
) -> Result<Left> {
    crate::files::create_private_dir(machine)?;
    let archive = machine.join(left.archive.file_name().context("an archive has a name")?);
    std::fs::rename(&left.archive, &archive)?;
    std::fs::rename(folder.join(ROOT_KEY), machine.join(ROOT_KEY))?;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path != machine {
            remove(&path).with_context(|| path.display().to_string())?;
        }
    }
    narrator.step(
        "Everything is lost",
        "Both services, their databases, the gateway's database, the stored backup and every token are\n\
         deleted. Two files are left: the root key and one archive.",
    )?;
    narrator.show(&format!("{ROOT_KEY}\n{}", archive.file_name().unwrap_or_default().display()))?;
    Ok(Left { archive, ..left })
}

/// SQLite can be removing its own write-ahead log at the same moment.
fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Restores everything, and shows that it is back.
pub(in crate::commands::demo) async fn restore(
    embedded: &Embedded,
    machine: &Path,
    left: &Left,
    narrator: &mut Narrator,
) -> Result<()> {
    let cast = Cast::assemble(embedded, machine).await?;
    let restored = bring_back(&cast, left, narrator).await.context("restoring")?;
    use_again(&cast, embedded, left, narrator).await.context("using what was restored")?;
    let endpoints = gateway::endpoints(&machine.join("gateway.db")).await?;
    ensure!(endpoints > 0, "the gateway's endpoints did not come back");
    old_head(&cast, left, &restored, narrator).await.context("verifying the audit log")
}

async fn bring_back(cast: &Cast, left: &Left, narrator: &mut Narrator) -> Result<String> {
    let upload = upload(&cast.backup, &left.archive).await?;
    let plan = plan(&cast.backup, upload).await?;
    let mut table = Table::new(&["SOURCE", "TABLE", "ROWS", "CREATED"]);
    for source in plan.plan.iter().flat_map(|plan| &plan.sources) {
        for one in source.tables.iter().filter(|one| one.rows > 0) {
            let (rows, created) = (one.rows.to_string(), one.created.to_string());
            table.row([source.source.as_str(), &one.table, &rows, &created]);
        }
    }
    let id = plan.id.clone();
    apply(cast, plan).await?;
    narrator.step(
        "A new vault with the same root key restores the archive",
        "The vault is empty, and the archive's key ring opens with the root key. The plan verified every byte,\n\
         the signature and every sealed value before anything changed. The backup service alone cannot change a\n\
         vault: the admin's token got a grant from the vault, for this restore and no other. All rows came in\n\
         one transaction for each database:",
    )?;
    narrator.show(&table.to_string())?;
    Ok(id)
}

async fn upload(service: &Connection, archive: &Path) -> Result<String> {
    let upload_id = uuid::Uuid::now_v7().to_string();
    let sending = sending::start(archive, 0, move |piece| {
        let message = match piece {
            Piece::Header { file_name, size_bytes } => {
                UploadMessage::Header(Header { file_name, size_bytes, upload_id: upload_id.clone() })
            }
            Piece::Chunk { number, offset, data } => UploadMessage::Chunk(Chunk { number, offset, data }),
            Piece::End { sha256 } => UploadMessage::End(End { sha256 }),
        };
        UploadArchiveRequest { message: Some(message) }
    })?;
    let answer = service.answer(service.restores().upload_archive(Request::new(sending.requests))).await?;
    Ok(answer.upload.context("the backup service answered without an upload")?.id)
}

async fn plan(service: &Connection, upload_id: String) -> Result<Restore> {
    let request = PlanRestoreRequest {
        archive: Some(Archive::UploadId(upload_id)),
        mode: RestoreMode::IntoEmpty.into(),
        create_tables: true,
        ..Default::default()
    };
    let mut stream = service.answer(service.restores().plan_restore(Request::new(request))).await?;
    while let Some(next) = stream.next().await {
        if let Some(PlanMessage::Restore(plan)) = next.map_err(|status| service.failed(&status))?.message {
            let refusals = plan.plan.iter().flat_map(|plan| &plan.refusals);
            let refusals: Vec<&str> = refusals.map(|refusal| refusal.message.as_str()).collect();
            ensure!(plan.state() == RestoreState::Planned, "the restore is refused: {}", refusals.join("; "));
            return Ok(plan);
        }
    }
    bail!("the backup service ended without a plan")
}

async fn apply(cast: &Cast, plan: Restore) -> Result<()> {
    let terms = plan.grant_terms.context("a restore of the vault needs a grant")?;
    let request = unary(IssueRestoreGrantRequest { terms: Some(terms) });
    let grant = cast.vault.answer(cast.vault.restore_grants().issue_restore_grant(request)).await?.grant;
    let request =
        Request::new(ApplyRestoreRequest { id: plan.id, confirm: plan.confirm, max_pause: None, grant });
    let mut stream = cast.backup.answer(cast.backup.restores().apply_restore(request)).await?;
    let mut last = None;
    while let Some(next) = stream.next().await {
        last = next.map_err(|status| cast.backup.failed(&status))?.restore;
    }
    let ended = last.context("the backup service ended without an answer")?;
    ensure!(ended.state() == RestoreState::Applied, "the restore was not applied: {}", ended.problem);
    Ok(())
}

/// The gateway's old token is stale, and works again with a new secret.
async fn use_again(cast: &Cast, embedded: &Embedded, left: &Left, narrator: &mut Narrator) -> Result<()> {
    let (bearer, id) = &left.gateway_token;
    let stale = Connection::new(Service::Vault, embedded.vault(), bearer.clone())?;
    let refused = secrets::reveal_to(&stale, &left.credential).await.map(|_| ());
    let refused = secrets::refusal(refused, "TOKEN_STALE")?;
    let request = ReissueTokenRequest { id: id.clone() };
    let issued = cast.vault.answer(cast.vault.tokens().reissue_token(unary(request))).await?;
    let renewed = Connection::new(Service::Vault, embedded.vault(), Bearer::new(&issued.secret)?)?;
    let (name, _, key) = KEYS[0];
    let secret = secrets::reveal_to(&renewed, &left.credential).await?;
    ensure!(secret == key.as_bytes(), "the vault returned a different secret");
    narrator.step(
        &format!("The key of {name} is back"),
        "Tokens came back without effect: an archive and an old token together give no access. The gateway's\n\
         token got a new secret under its old id, and with it the gateway has its key. The key that was\n\
         deactivated stays deactivated.",
    )?;
    narrator.show(&refused)
}

async fn old_head(cast: &Cast, left: &Left, restore: &str, narrator: &mut Narrator) -> Result<()> {
    let request = VerifyAuditLogRequest {
        anchor_sequence: left.head.sequence,
        anchor_mac: left.head.mac.clone(),
        anchor_chain: left.head.chain.clone(),
    };
    let verified = cast.vault.answer(cast.vault.audit().verify_audit_log(long(request))).await?;
    ensure!(verified.ok && verified.note.contains(restore), "the audit log does not name the restore");
    narrator.step(
        "The new audit log knows where it came from",
        "The restored vault has a log of its own. A head of the old log, which somebody wrote down before the\n\
         loss, is recognised: it belongs before this restore.",
    )?;
    narrator.show(&format!("restore {restore}: event {} of the old log", left.head.sequence))
}
