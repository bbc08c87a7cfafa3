//! Verifications: an archive that a client sends is looked at with the vault; what goes back are verdicts.
//!
//! The order: the file is received, its turn comes, its seal is opened, its signature compared, every entry read, every
//! sealed value asked about. Receiving takes as long as the client likes, within bounds, and holds nobody else's turn: only
//! what reads an archive has a permit of those that are few. What surrounds this, from the permit to the audit event, is [`crate::operation`]'s.

mod entries;
mod event;
mod findings;
mod progress;
mod signature;
mod subject;
mod values;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::{Column, Message};
use strongroom_runtime::Caller;
use strongroom_runtime::metrics::IntCounter;
use strongroom_runtime::telemetry::stage;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::error::{Error, Result};
use crate::incoming::{
    self, Allowance, Archive, MemoryLimits, Opened, Parts, Slot, Staged, Upload, UploadLimits, Uploads, open,
};
use crate::metrics::{KindMetrics, Size};
use crate::operation::{AuditRecord, Ended, Kind, Limits, Operations, PROGRESS_INTERVAL, Permit, Replies};
use crate::vault_client::VaultClient;
use entries::{Entries, Pass};
use findings::Findings;
use progress::Reporter;
pub(crate) use subject::Subject;
use values::Questions;

/// Verifications among the operations.
pub(crate) static KIND: Kind = Kind {
    name: "verification",
    started: None,
    ended: "backup.verified",
    keeps: false,
    // A few KiB each, 90 KiB where a column has a hundred bad rows.
    queue: 16,
    busy: Error::UploadsBusy,
    too_long: Error::VerifyTooLong,
    stalled: Error::ClientSilent,
};

/// Batches of values that may wait for the vault.
const BATCHES: usize = 1;

/// What verifications may take beside the limits of every operation.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// How many archives are read at the same time.
    pub(crate) concurrent: usize,
    pub(crate) memory: MemoryLimits,
    /// Of a processor, beside what a file's size explains.
    pub(crate) processor: Duration,
}

/// Verifies archives; one for the whole process.
pub(crate) struct Verifications {
    vault: VaultClient,
    operations: Operations,
    uploads: Arc<Uploads>,
    cost: Cost,
    /// Whose archive is read: first come, first served.
    turns: Arc<Semaphore>,
    /// Bytes.
    received: IntCounter,
}

impl Verifications {
    /// With none running.
    pub(crate) fn create(
        vault: VaultClient,
        limits: Limits,
        uploads: UploadLimits,
        cost: Cost,
        (metrics, received): (KindMetrics, IntCounter),
    ) -> Self {
        incoming::warn(&uploads.staging_dir);
        Self {
            vault,
            operations: Operations::create(&KIND, limits, metrics),
            uploads: Arc::new(Uploads::create(uploads)),
            cost,
            turns: Arc::new(Semaphore::new(cost.concurrent)),
            received,
        }
    }

    /// Reads the header of what `caller` sends, and goes on with the rest in a task of its own.
    ///
    /// # Errors
    /// [`Error::UploadsBusy`], [`Error::CallerBusy`], [`Error::Field`] for the header, [`Error::ClientSilent`].
    pub(crate) async fn begin(&self, caller: &Caller, parts: Parts) -> Result<Replies<VerifyBackupResponse>> {
        self.begin_with(caller, parts, None).await
    }

    /// The same for a stored backup, with which the result is kept.
    ///
    /// # Errors
    /// As of [`Self::begin`].
    pub(crate) async fn begin_stored(
        &self,
        caller: &Caller,
        parts: Parts,
        subject: Arc<dyn Subject>,
    ) -> Result<Replies<VerifyBackupResponse>> {
        self.begin_with(caller, parts, Some(subject)).await
    }

    async fn begin_with(
        &self,
        caller: &Caller,
        parts: Parts,
        subject: Option<Arc<dyn Subject>>,
    ) -> Result<Replies<VerifyBackupResponse>> {
        let slot = Arc::new(self.uploads.admit(&caller.principal.id)?);
        let permit = self.operations.admit()?;
        let upload = Upload::begin(parts, Arc::clone(&slot), self.operations.limits().stall).await?;
        let (vault, turns, cost) = (self.vault.clone(), Arc::clone(&self.turns), self.cost);
        let (stall, received) = (self.operations.limits().stall, self.received.clone());
        let id = uuid::Uuid::now_v7().to_string();
        let record = AuditRecord::create(vault.clone(), &KIND, caller, &id, upload.file_name());
        Ok(self.operations.start(
            (permit, Arc::clone(&slot)),
            record,
            |outlet, stop| async move {
                let reporter = Reporter::create(outlet, stall);
                let verification = Verification { vault, turns, cost, slot, reporter, stop, received };
                let verified = verification.verify(upload).await;
                if let (Err(error), Some(subject)) = (&verified, &subject)
                    && error.is_damage()
                {
                    let mut findings = Findings::create(0, String::new());
                    findings.unreadable(error.to_string());
                    subject.keep(false, &findings.verdict().levels).await?;
                }
                let mut findings = verified?;
                if let Some(subject) = subject {
                    findings.compare(subject.sha256());
                    subject.keep(findings.is_ok(), &findings.verdict().levels).await?;
                }
                Ok(ended(findings))
            },
            |_| async {},
        ))
    }

    /// Bytes of all files that are staged now.
    pub(crate) fn staged_bytes(&self) -> u64 {
        self.uploads.staged_bytes()
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
    let size = Size { bytes: verdict.size_bytes, rows: verdict.rows };
    let messages = columns.into_iter().map(Message::Column).chain([Message::Verdict(verdict)]);
    let replies = messages.map(|message| VerifyBackupResponse { message: Some(message) }).collect();
    Ended { outcome, metadata, replies, size }
}

/// What a verification holds until the last of its threads has ended: its turn, and its place among the uploads.
type Turn = Arc<(Permit, Arc<Slot>)>;

/// One verification.
struct Verification {
    vault: VaultClient,
    turns: Arc<Semaphore>,
    cost: Cost,
    slot: Arc<Slot>,
    reporter: Reporter,
    stop: CancellationToken,
    received: IntCounter,
}

impl Verification {
    async fn verify(self, upload: Upload) -> Result<Findings> {
        let Staged { file, size, sha256 } =
            upload.receive(|bytes| self.reporter.received(bytes)).instrument(stage("receive")).await?;
        self.received.inc_by(size);
        let turn = self.turn(size).instrument(stage("wait for turn")).await?;
        let mut findings = Findings::create(size, sha256);
        let allowance = Allowance::create(self.cost.processor, size);
        let opened = open(file, &self.vault, self.cost.memory, allowance, Arc::clone(&turn));
        let opened = opened.instrument(stage("open archive")).await?;
        let Opened { archive, signature, ring, allowance } = match opened {
            Ok(opened) => opened,
            Err(problem) => {
                findings.unreadable(problem);
                return Ok(findings);
            }
        };
        findings.describe(archive.manifest());
        let keys = self.vault.signing_keys().await?;
        let inspected = match &ring {
            Some(ring) => Some(self.vault.inspect_ring(ring).await?),
            None => None,
        };
        findings.signed(signature::judge(&archive, signature, &keys, inspected.as_ref()));
        // Without its root key it opens nothing.
        let is_usable = matches!(&inspected, Some(Ok(ring)) if ring.root_key_known);
        let (entries, columns) = self
            .read(archive, ring.filter(|_| is_usable), allowance, turn)
            .instrument(stage("read archive"))
            .await?;
        findings.read(entries);
        findings.judged(columns);
        Ok(findings)
    }

    /// Waits until few enough others are read, and lets the client know that it still does. `received` is the file's size.
    async fn turn(&self, received: u64) -> Result<Turn> {
        let mut turn = pin!(Arc::clone(&self.turns).acquire_owned());
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut turn).await {
                Ok(Ok(permit)) => return Ok(Arc::new((permit, Arc::clone(&self.slot)))),
                Ok(Err(_)) => return Err(Error::ShuttingDown),
                Err(_) => self.reporter.received(received),
            }
        }
    }

    /// Every entry and every value. The turn ends with the thread that reads, and not with its client.
    async fn read(
        self,
        mut archive: Archive,
        ring: Option<Bytes>,
        allowance: Allowance,
        turn: Turn,
    ) -> Result<(Entries, Vec<Column>)> {
        let Self { vault, cost, reporter, stop, .. } = self;
        let columns = archive.manifest().encrypted_columns.clone();
        let questions = Questions::create(&columns)?;
        let (batches, queue) = mpsc::channel(BATCHES);
        let (reader, stopped) = (reporter.clone(), stop.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let _held = turn;
            let pass = Pass::create(questions, batches, reader, stopped, allowance.begin());
            pass.run(&mut archive, cost.memory)
        });
        let answering = async {
            let answered = values::answer((&vault, ring.as_ref()), &columns, queue, &reporter).await;
            if answered.is_err() {
                stop.cancel();
            }
            answered
        };
        let (read, answered) = tokio::join!(reading, answering);
        // Where the answers failed, the reader was only stopped.
        let columns = answered?;
        Ok((read??, columns))
    }
}
