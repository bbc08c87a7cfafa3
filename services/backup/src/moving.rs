//! Moves chosen tables from one deployment to another, as one JSON document (docs/tables.md).
//!
//! An export ([`export`]) streams the rows as it reads them. An import ([`importing`]) first receives the whole
//! document, staged sealed like every upload, so that a slow or broken client does not hold up a database. Then it
//! merges the document by `strongroom_tables::load`: rows are staged beside the live ones, and one transaction adds
//! those whose keys are missing. The data that such a merge keeps for a rollback is removed at once, because an import
//! only adds rows.
//!
//! While an import changes a source, the source is reserved as for a restore, and the import's operation is recorded in
//! the service's database. If the process dies, the process that takes over its operations (its heir) removes what the
//! import left behind ([`ending`]).

mod choice;
mod contents;
mod ending;
pub(crate) mod error;
mod export;
mod gatwy;
mod importing;
mod inheritance;
mod loading;
mod report;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_runtime::telemetry::{inherited, stage};
use strongroom_runtime::{Caller, Clock, Shutdown};
use tokio_stream::StreamExt as _;
use tonic::Status;
use tracing::Instrument as _;

use crate::config::AppConfig;
use crate::error::{Error, Result};
use crate::incoming::{MemoryLimits, Parts, Upload, Uploads};
use crate::membership::Membership;
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Operations, Replies};
use crate::sources::Sources;
use crate::store::{OperationRow, Store};
use crate::vault_client::VaultClient;
use ending::{Begun, Ending};
use error::MoveError;
use export::Exporting;
use importing::Importing;
pub(crate) use inheritance::Inheritance;

/// The operation kind of exports of tables.
pub(crate) static EXPORT: Kind = Kind {
    name: "tables_export",
    started: Some("tables.export_started"),
    ended: "tables.exported",
    keeps: false,
    hands_on: false,
    // Chunks of at most 256 KiB each.
    queue: 4,
    busy: Error::Busy,
    too_long: Error::TooLong,
    stalled: Error::Stalled,
};

/// The operation kind of imports of tables.
pub(crate) static IMPORT: Kind = Kind {
    name: "tables_import",
    started: Some("tables.import_started"),
    ended: "tables.imported",
    keeps: true,
    hands_on: false,
    queue: 1,
    busy: |most| Error::Move(MoveError::Busy(most)),
    too_long: |seconds| Error::Move(MoveError::TooLong(seconds)),
    stalled: Error::ClientSilent,
};

/// Shared by all code that moves tables.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) app: AppConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<Sources>,
    /// Admission and limits of all staged files.
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) memory: MemoryLimits,
    pub(crate) shutdown: Shutdown,
}

/// The options of an import.
pub(crate) struct ImportRequest {
    pub(crate) dry_run: bool,
    pub(crate) file_name: String,
}

/// Moves tables; one per process. Clones share it.
#[derive(Clone)]
pub(crate) struct Moves {
    base: Base,
    membership: Arc<Membership>,
    exports: Arc<Operations>,
    imports: Arc<Operations>,
}

impl Moves {
    /// Limits and metrics are those of [`EXPORT`] and [`IMPORT`].
    pub(crate) fn create(
        base: Base,
        membership: Arc<Membership>,
        [of_exports, of_imports]: [Limits; 2],
        [exported, imported]: [KindMetrics; 2],
    ) -> Self {
        let exports = Arc::new(Operations::create(&EXPORT, of_exports, exported));
        let imports = Arc::new(Operations::create(&IMPORT, of_imports, imported));
        Self { base, membership, exports, imports }
    }

    /// Begins an export of `tables` for `caller`; the document arrives in the stream.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Field`] for a table, and those of sources that cannot be listed.
    pub(crate) async fn export(
        &self,
        caller: &Caller,
        tables: &[String],
    ) -> Result<Replies<proto::ExportTablesResponse>> {
        let permit = self.exports.admit()?;
        let member = self.membership.current();
        let exporting = Exporting::prepare(&self.base, tables).await?;
        let (vault, id, name) =
            (self.base.vault.clone(), exporting.id.as_str(), exporting.file_name.as_str());
        let record = AuditRecord::create(vault, &EXPORT, caller, id, name)
            .with(exporting.describe())
            .with_at_start("instance", member.id.as_str());
        let work = |outlet, _stop| async move { member.until_lost(exporting.send(outlet)).await };
        Ok(self.exports.start(permit, record, work, |_| async {}))
    }

    /// Receives a document and imports it for `caller`. After it has been received, the import continues even if its
    /// caller leaves.
    ///
    /// # Errors
    /// The status of an import that could not be done. Objections to the document are in the answer.
    pub(crate) async fn import(
        &self,
        caller: &Caller,
        request: ImportRequest,
        parts: Parts,
    ) -> Result<proto::ImportTablesResponse, Status> {
        let slot = Arc::new(self.base.uploads.admit(&caller.principal.id).map_err(|error| error.status())?);
        let stall = self.imports.limits().stall;
        let received = async {
            let upload = Upload::of_unknown_size(parts, Arc::clone(&slot), stall, request.file_name.clone())?;
            upload.receive(|_| ()).instrument(stage("receive")).await
        };
        let staged = received.await.map_err(|error| error.status())?;
        let permit = self.imports.admit().map_err(|error| error.status())?;
        let member = self.membership.current();
        let id = uuid::Uuid::now_v7().to_string();
        let record = AuditRecord::create(self.base.vault.clone(), &IMPORT, caller, &id, &request.file_name)
            .with(importing::describe(&request, &staged.sha256))
            .with_at_start("instance", member.id.as_str());
        let operation = OperationRow {
            id,
            kind: IMPORT.name.to_owned(),
            owner: member.id.clone(),
            fence: 1,
            delegation: caller.principal.delegation.expose().to_vec(),
            target: request.file_name.clone(),
            trace_id: caller.trace_id.clone(),
            start_time: self.base.clock.now_micros(),
        };
        let begun = Arc::new(Begun::default());
        let importing = Importing {
            base: self.base.clone(),
            operation,
            begun: Arc::clone(&begun),
            is_dry: request.dry_run,
        };
        let work = |_outlet, stop| async move { member.until_lost(importing.run(staged, stop)).await };
        let replies = self.imports.start((permit, slot), record, work, |_| async {});
        let ending = self.ending();
        let answering = async move { answer(replies, &ending, begun).await };
        let answered = tokio::spawn(inherited(answering.in_current_span())).await;
        answered.unwrap_or_else(|error| Err(Error::from(error).status()))
    }

    /// Maximum time that a client may send nothing.
    pub(crate) fn patience(&self) -> Duration {
        self.imports.limits().stall
    }

    /// The heir for imports of dead processes.
    pub(crate) fn inheritance(&self) -> Inheritance {
        Inheritance { ending: self.ending(), vault: self.base.vault.clone() }
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        tokio::join!(self.exports.stop(), self.imports.stop());
    }

    fn ending(&self) -> Ending {
        let Base { store, sources, shutdown, .. } = self.base.clone();
        Ending { store, sources, shutdown }
    }
}

/// The only answer of an import, returned after its leftovers are removed, unless that takes long.
async fn answer(
    mut replies: Replies<proto::ImportTablesResponse>,
    ending: &Ending,
    begun: Arc<Begun>,
) -> Result<proto::ImportTablesResponse, Status> {
    let answer = replies.next().await.unwrap_or_else(|| Err(Error::ShuttingDown.status()));
    // The last event is recorded, and the import no longer changes the database.
    drop(replies);
    ending.settle_soon(begun).await;
    answer
}
