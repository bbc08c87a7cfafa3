//! Verifications: an archive is taken up, staged sealed, and looked at with the vault; what goes back are verdicts.
//!
//! Each is one task that owns everything until its audit event: gRPC drops a handler when its client leaves. The
//! order inside: the file is received, its seal opened, its signature compared, every entry read, every sealed value
//! asked about, the end recorded, the verdict sent.

mod answers;
mod entries;
mod findings;
mod journal;
mod opening;
mod signature;
mod staging;
mod upload;
mod values;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::VerifyBackupRequest;
use strongroom_runtime::Caller;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Streaming;

use crate::error::{Error, Result};
use crate::vault::Vault;
use answers::Outlet;
pub(crate) use answers::VerifyStream;
use entries::Pass;
use findings::Findings;
use journal::Journal;
use opening::{Opened, open};
use staging::Staged;
use upload::Upload;

/// How long running verifications may take to record their end when the service stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Batches of values that may wait for the vault.
const BATCHES: usize = 1;

/// How verifications are limited.
pub(crate) struct VerifyLimits {
    /// The longest that one may take.
    pub(crate) duration: Duration,
    /// The longest that its client may send nothing, or take nothing.
    pub(crate) stall: Duration,
    /// How many at the same time.
    pub(crate) concurrent: usize,
    /// The largest file, in bytes.
    pub(crate) upload_bytes: u64,
    /// Where files are staged.
    pub(crate) staging_dir: PathBuf,
}

/// Verifies archives; one for the whole process.
pub(crate) struct Verifications {
    vault: Vault,
    limits: VerifyLimits,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Verifications {
    /// With none running.
    pub(crate) fn create(vault: Vault, limits: VerifyLimits) -> Self {
        staging::warn(&limits.staging_dir);
        let places = Arc::new(Semaphore::new(limits.concurrent));
        Self { vault, limits, places, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Reads the header of what `caller` sends, and goes on with the rest in a task of its own.
    ///
    /// # Errors
    /// [`Error::VerificationsBusy`], [`Error::Field`] for the header, [`Error::ClientSilent`].
    pub(crate) async fn begin(
        self: &Arc<Self>,
        caller: &Caller,
        requests: Streaming<VerifyBackupRequest>,
    ) -> Result<VerifyStream> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Error::VerificationsBusy(self.limits.concurrent))?;
        let upload = Upload::begin(requests, self.limits.stall, self.limits.upload_bytes).await?;
        let journal = Journal::create(self.vault.clone(), caller, upload.file_name());
        let (outlet, stream) = answers::create(self.limits.stall);
        let stop = self.stop.child_token();
        let verification = Verification { verifications: Arc::clone(self), journal, outlet, stop };
        self.tasks.spawn(verification.run(upload, place));
        Ok(stream)
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::error!("verifications were still running at the end; their end is not in the audit log");
        }
    }
}

/// One verification.
struct Verification {
    verifications: Arc<Verifications>,
    journal: Journal,
    outlet: Outlet,
    stop: CancellationToken,
}

impl Verification {
    async fn run(self, upload: Upload, place: OwnedSemaphorePermit) {
        let ended = self.within_limits(upload).await;
        // The thread that reads the file has to end, and the file with it.
        self.stop.cancel();
        let told = match ended {
            Ok(findings) => match self.journal.ended(&findings).await {
                Ok(()) => self.outlet.conclude(findings).await,
                Err(error) => Err(error),
            },
            Err(error) => {
                self.journal.failed(&error).await;
                Err(error)
            }
        };
        if let Err(error) = told {
            tracing::warn!(reason = error.reason(), %error, "a verification failed");
            self.outlet.fail(error.status()).await;
        }
        drop(place);
    }

    async fn within_limits(&self, upload: Upload) -> Result<Findings> {
        let limit = self.verifications.limits.duration;
        tokio::select! {
            verified = tokio::time::timeout(limit, self.verify(upload)) => {
                verified.unwrap_or(Err(Error::VerifyTooLong(limit.as_secs())))
            }
            () = self.outlet.closed() => Err(Error::ClientLeft),
            () = self.verifications.stop.cancelled() => Err(Error::ShuttingDown),
        }
    }

    async fn verify(&self, upload: Upload) -> Result<Findings> {
        let vault = &self.verifications.vault;
        let staged = upload.receive(&self.verifications.limits.staging_dir, &self.outlet).await?;
        let Staged { file, size, sha256 } = staged;
        let mut findings = Findings::create(size, sha256);
        let Opened { mut archive, signature } = match open(file, vault).await? {
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
        let stop = self.stop.child_token();
        let pass = Pass::create(&columns, batches, self.outlet.clone(), stop.clone())?;
        let reading = tokio::task::spawn_blocking(move || pass.run(&mut archive));
        let answering = async {
            let answered = values::answer(vault, &columns, queue, &self.outlet).await;
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
