//! Verifications: an archive that a client sends is looked at with the vault; what goes back are verdicts.
//!
//! The order: the file is received, its seal opened, its signature compared, every entry read, every sealed value
//! asked about. What surrounds this, from the permit to the audit event, is [`crate::operation`]'s.

mod entries;
mod event;
mod findings;
mod progress;
mod signature;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::Message;
use strongroom_runtime::Caller;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::incoming::{self, Opened, Parts, Staged, Upload, open};
use crate::operation::{AuditRecord, Ended, Kind, Limits, Operations, Outlet, Replies};
use crate::vault_client::VaultClient;
use entries::Pass;
use findings::Findings;
use progress::Reporter;

/// Verifications among the operations.
static KIND: Kind = Kind {
    name: "verification",
    started: None,
    ended: "backup.verified",
    // A few KiB each, 90 KiB where a column has a hundred bad rows.
    queue: 16,
    busy: Error::VerificationsBusy,
    too_long: Error::VerifyTooLong,
    stalled: Error::ClientSilent,
};

/// Batches of values that may wait for the vault.
const BATCHES: usize = 1;

/// What verifications need beside the limits of every operation.
pub(crate) struct UploadLimits {
    /// The largest file, in bytes.
    pub(crate) bytes: u64,
    /// Where files are staged.
    pub(crate) staging_dir: PathBuf,
}

/// Verifies archives; one for the whole process.
pub(crate) struct Verifications {
    vault: VaultClient,
    operations: Operations,
    uploads: Arc<UploadLimits>,
}

impl Verifications {
    /// With none running.
    pub(crate) fn create(vault: VaultClient, limits: Limits, uploads: UploadLimits) -> Self {
        incoming::warn(&uploads.staging_dir);
        Self { vault, operations: Operations::create(&KIND, limits), uploads: Arc::new(uploads) }
    }

    /// Reads the header of what `caller` sends, and goes on with the rest in a task of its own.
    ///
    /// # Errors
    /// [`Error::VerificationsBusy`], [`Error::Field`] for the header, [`Error::ClientSilent`].
    pub(crate) async fn begin(&self, caller: &Caller, parts: Parts) -> Result<Replies<VerifyBackupResponse>> {
        let permit = self.operations.admit()?;
        let upload = Upload::begin(parts, self.operations.limits().stall, self.uploads.bytes).await?;
        let (vault, uploads) = (self.vault.clone(), Arc::clone(&self.uploads));
        let id = uuid::Uuid::now_v7().to_string();
        let record = AuditRecord::create(vault.clone(), &KIND, caller, &id, upload.file_name());
        Ok(self.operations.start(permit, record, |outlet, stop| async move {
            let verification = Verification { vault, uploads, outlet, stop };
            Ok(ended(verification.verify(upload).await?))
        }))
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}

/// The event first, then what was found, the verdict last.
fn ended(findings: Findings) -> Ended<VerifyBackupResponse> {
    let (outcome, metadata) = event::describe(&findings);
    let (columns, verdict) = findings.into_messages();
    let messages = columns.into_iter().map(Message::Column).chain([Message::Verdict(verdict)]);
    let replies = messages.map(|message| VerifyBackupResponse { message: Some(message) }).collect();
    Ended { outcome, metadata, replies }
}

/// One verification.
struct Verification {
    vault: VaultClient,
    uploads: Arc<UploadLimits>,
    outlet: Outlet<VerifyBackupResponse>,
    stop: CancellationToken,
}

impl Verification {
    async fn verify(self, upload: Upload) -> Result<Findings> {
        let Self { vault, uploads, outlet, stop } = self;
        let reporter = Reporter::create(outlet);
        let received = upload.receive(&uploads.staging_dir, |bytes| reporter.received(bytes)).await?;
        let Staged { file, size, sha256 } = received;
        let mut findings = Findings::create(size, sha256);
        let Opened { mut archive, signature } = match open(file, &vault).await? {
            Ok(opened) => opened,
            Err(problem) => {
                findings.unreadable(problem);
                return Ok(findings);
            }
        };
        findings.describe(archive.manifest());
        findings.signed(signature::judge(&archive, signature, &vault.signing_keys().await?));

        let columns = archive.manifest().encrypted_columns.clone();
        let (batches, queue) = mpsc::channel(BATCHES);
        let pass = Pass::create(&columns, batches, reporter.clone(), stop.clone())?;
        let reading = tokio::task::spawn_blocking(move || pass.run(&mut archive));
        let answering = async {
            let answered = values::answer(&vault, &columns, queue, &reporter).await;
            if answered.is_err() {
                stop.cancel();
            }
            answered
        };
        let (read, answered) = tokio::join!(reading, answering);
        // Where the answers failed, the reader was only stopped.
        let columns = answered?;
        findings.read(read??);
        findings.judged(columns);
        Ok(findings)
    }
}
