//! Verifies archives that clients send, with the help of the vault, and returns verdicts.
//!
//! Order: receive the file, wait for a turn, open the seal, check the signature, read every entry and ask the vault
//! about every sealed value. Receiving may take long, within the upload's limits, and needs no turn: only
//! reading an archive takes one of the few permits. [`crate::operation`] handles everything around that, from the
//! permit to the audit event.

mod entries;
mod event;
mod findings;
mod progress;
mod sealed_texts;
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
    Allowance, Archive, MemoryLimits, Opened, Parts, Slot, Staged, Unopened, Upload, Uploads, open,
};
use crate::metrics::{KindMetrics, Size};
use crate::operation::{AuditRecord, Ended, Kind, Limits, Operations, PROGRESS_INTERVAL, Permit, Replies};
use crate::vault_client::{SigningKey, VaultClient};
use entries::{Entries, Pass};
pub(crate) use findings::Findings;
pub(crate) use progress::{Listener, Reporter};
pub(crate) use subject::Subject;
use values::Questions;

/// The operation kind of verifications.
pub(crate) static KIND: Kind = Kind {
    name: "verification",
    started: None,
    ended: "backup.verified",
    keeps: false,
    hands_on: false,
    // A few KiB each, or 90 KiB if a column has a hundred bad rows.
    queue: 16,
    busy: Error::UploadsBusy,
    too_long: Error::VerifyTooLong,
    stalled: Error::ClientSilent,
};

/// Number of batches of values that can wait for the vault.
const BATCHES: usize = 1;

/// Limits of verifications in addition to those of every operation.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Maximum number of archives that are read concurrently.
    pub(crate) concurrent: usize,
    pub(crate) memory: MemoryLimits,
    /// Processor time in addition to the allowance for the file's size.
    pub(crate) processor: Duration,
}

/// Verifies archives; one instance per process.
pub(crate) struct Verifications {
    operations: Operations,
    uploads: Arc<Uploads>,
    verifier: Verifier,
    /// Number of bytes.
    received: IntCounter,
}

impl Verifications {
    pub(crate) fn create(
        verifier: Verifier,
        limits: Limits,
        uploads: Arc<Uploads>,
        (metrics, received): (KindMetrics, IntCounter),
    ) -> Self {
        Self { operations: Operations::create(&KIND, limits, metrics), uploads, verifier, received }
    }

    /// Reads the header of the caller's upload, and handles the rest in a task of its own.
    ///
    /// # Errors
    /// [`Error::UploadsBusy`], [`Error::CallerBusy`], [`Error::Field`] for the header, [`Error::ClientSilent`].
    pub(crate) async fn begin(&self, caller: &Caller, parts: Parts) -> Result<Replies<VerifyBackupResponse>> {
        self.begin_with(caller, parts, None).await
    }

    /// The same for a stored backup; the result is kept with it.
    ///
    /// # Errors
    /// As for [`Self::begin`].
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
        let (stall, received) = (self.operations.limits().stall, self.received.clone());
        let id = uuid::Uuid::now_v7().to_string();
        let verifier = self.verifier.clone();
        let record = AuditRecord::create(verifier.vault.clone(), &KIND, caller, &id, upload.file_name());
        Ok(self.operations.start(
            (permit, Arc::clone(&slot)),
            record,
            |outlet, stop| async move {
                let reporter = Reporter::create(Arc::new(outlet), stall);
                let verified = async {
                    let staged = upload.receive(|bytes| reporter.received(bytes));
                    let staged = staged.instrument(stage("receive")).await?;
                    received.inc_by(staged.size);
                    verifier.verify(staged, &[], (&reporter, &stop), Some(slot)).await
                }
                .await;
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

    /// The limits of each verification.
    pub(crate) fn limits(&self) -> Limits {
        self.operations.limits()
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}

/// The closing event, and the replies: first the findings, then the verdict.
fn ended(findings: Findings) -> Ended<VerifyBackupResponse> {
    let (outcome, metadata) = event::describe(&findings);
    let (columns, verdict) = findings.into_messages();
    let size = Size { bytes: verdict.size_bytes, rows: verdict.rows };
    let messages = columns.into_iter().map(Message::Column).chain([Message::Verdict(verdict)]);
    let replies = messages.map(|message| VerifyBackupResponse { message: Some(message) }).collect();
    Ended { outcome, metadata, replies, size }
}

/// Held by a verification until the last of its threads has ended: its turn, and its upload slot if the file was
/// uploaded.
type Turn = Arc<(Permit, Option<Arc<Slot>>)>;

/// Verifies received files, a few at a time. Clones share the turns.
#[derive(Clone)]
pub(crate) struct Verifier {
    vault: VaultClient,
    /// Turns to read an archive, in order of arrival.
    turns: Arc<Semaphore>,
    cost: Cost,
}

impl Verifier {
    pub(crate) fn create(vault: VaultClient, cost: Cost) -> Self {
        Self { vault, turns: Arc::new(Semaphore::new(cost.concurrent)), cost }
    }

    /// The limits of reading an archive.
    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// Verifies a whole file. `signers` are trusted in addition to the vault's own keys. `stop` ends the threads.
    ///
    /// # Errors
    /// Errors of the vault, of reading the file, and of the limits. Faults of the archive are in the findings.
    pub(crate) async fn verify(
        &self,
        staged: Staged,
        signers: &[SigningKey],
        (reporter, stop): (&Reporter, &CancellationToken),
        slot: Option<Arc<Slot>>,
    ) -> Result<Findings> {
        let Staged { file, size, sha256 } = staged;
        let turn = self.turn(slot, size, reporter).instrument(stage("wait for turn")).await?;
        let mut findings = Findings::create(size, sha256);
        let allowance = Allowance::create(self.cost.processor, size);
        let opened = open(file, &self.vault, self.cost.memory, allowance, Arc::clone(&turn));
        let opened = opened.instrument(stage("open archive")).await?;
        let Opened { archive, signature, ring, allowance } = match opened {
            Ok(opened) => opened,
            Err(Unopened::Seal(problem)) => {
                findings.sealed(problem);
                return Ok(findings);
            }
            Err(Unopened::Content(problem)) => {
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
        findings.signed(signature::judge(&archive, signature, (&keys, signers), inspected.as_ref()));
        // A ring without a known root key opens nothing.
        let is_usable = matches!(&inspected, Some(Ok(ring)) if ring.root_key_known);
        let ring = ring.filter(|_| is_usable);
        let (entries, columns) = self
            .read(archive, ring, (allowance, turn), (reporter, stop))
            .instrument(stage("read archive"))
            .await?;
        findings.read(entries);
        findings.judged(columns);
        Ok(findings)
    }

    /// Waits for a turn, and reports progress to the client meanwhile. `received` is the file's size.
    async fn turn(&self, slot: Option<Arc<Slot>>, received: u64, reporter: &Reporter) -> Result<Turn> {
        let mut turn = pin!(Arc::clone(&self.turns).acquire_owned());
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut turn).await {
                Ok(Ok(permit)) => return Ok(Arc::new((permit, slot))),
                Ok(Err(_)) => return Err(Error::ShuttingDown),
                Err(_) => reporter.received(received),
            }
        }
    }

    /// Reads every entry and every value. The turn ends with the reading thread, even if the client leaves earlier.
    async fn read(
        &self,
        mut archive: Archive,
        ring: Option<Bytes>,
        (allowance, turn): (Allowance, Turn),
        (reporter, stop): (&Reporter, &CancellationToken),
    ) -> Result<(Entries, Vec<Column>)> {
        let memory = self.cost.memory;
        let columns = archive.manifest().encrypted_columns.clone();
        let questions = Questions::create(&columns)?;
        let (batches, queue) = mpsc::channel(BATCHES);
        let (reader, stopped) = (reporter.clone(), stop.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let _held = turn;
            let pass = Pass::create(questions, batches, reader, stopped, allowance.begin());
            pass.run(&mut archive, memory)
        });
        let answering = async {
            let answered = values::answer((&self.vault, ring.as_ref()), &columns, queue, reporter).await;
            if answered.is_err() {
                stop.cancel();
            }
            answered
        };
        let (read, answered) = tokio::join!(reading, answering);
        // If answering failed, the reader was merely stopped: report the cause.
        let columns = answered?;
        Ok((read??, columns))
    }
}
