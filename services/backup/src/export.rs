//! Exports: what a request chooses is checked, and an archive of it streamed while it is built.
//!
//! What surrounds an export, from the permit to the audit events, is [`crate::operation`]'s; [`assembly`] is the
//! work itself.

mod assembly;
mod census;
mod chunk;
mod envelope;
mod event;
mod exit;
mod files;
mod pipeline;
mod plan;
mod progress;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_archive::archive_file_name;
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Operations, Replies, Unfinished};
use crate::seal::SealChoice;
use assembly::Export;
pub(crate) use assembly::ExportContext;
use event::describe_plan;
pub(crate) use plan::ExportRequest;
use plan::Plan;

/// Exports among the operations.
pub(crate) static KIND: Kind = Kind {
    name: "export",
    started: Some("backup.export_started"),
    ended: "backup.exported",
    // A chunk of 256 KiB each at most.
    queue: 4,
    busy: Error::Busy,
    too_long: Error::TooLong,
    stalled: Error::Stalled,
};

/// Suffix of a sealed archive's file name.
const SEALED: &str = ".age";

/// Makes exports; one for the whole process.
pub(crate) struct Exports {
    context: Arc<ExportContext>,
    unfinished: Arc<Unfinished>,
    operations: Operations,
}

impl Exports {
    /// With no export running.
    pub(crate) fn create(
        context: ExportContext,
        unfinished: Arc<Unfinished>,
        limits: Limits,
        metrics: KindMetrics,
    ) -> Self {
        let operations = Operations::create(&KIND, limits, metrics);
        Self { context: Arc::new(context), unfinished, operations }
    }

    /// Begins an export for `caller`, sealed as `choice` says; its messages come out of the stream.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Field`], [`Error::NoRecoveryRecipient`], the vault's and those of sources that have
    /// to be asked first.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        request: &ExportRequest,
        choice: SealChoice,
    ) -> Result<Replies<ExportBackupResponse>> {
        let permit = self.operations.admit()?;
        let context = Arc::clone(&self.context);
        let plan = Plan::create(&context.sources, request).await?;
        self.unfinished.close_own().await?;

        let time = Timestamp::from_microsecond(context.clock.now_micros())
            .map_err(|error| Error::Defect(format!("the clock is out of range: {error}")))?;
        let archive_id = uuid::Uuid::now_v7().to_string();
        let mut file_name = archive_file_name(&context.app.name, time);
        if !matches!(choice, SealChoice::Plain) {
            file_name.push_str(SEALED);
        }
        let described = describe_plan(&plan, choice.name(), context.policy.recipients(&choice))?;
        let record = AuditRecord::create(context.vault.clone(), &KIND, caller, &archive_id, &file_name)
            .with(described)
            .with_at_start("instance", self.unfinished.instance())
            .with_at_start("archive_id", archive_id.as_str());
        let seal = context.policy.prepare(choice, &context.vault, &archive_id).await?.map(Arc::new);
        let (vault, pinned) = (context.vault.clone(), archive_id.clone());
        let is_whole = Arc::new(AtomicBool::new(false));
        let whole = Arc::clone(&is_whole);
        let export = Export { context, plan, seal, archive_id, file_name, time, is_whole };
        // Once the client has every byte, it may have the archive, whatever becomes of the rest.
        let release = async move {
            if !whole.load(Ordering::Acquire) {
                vault.release_pins(&pinned).await;
            }
        };
        Ok(self.operations.start(permit, record, |outlet, stop| export.assemble(outlet, stop), release))
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}
