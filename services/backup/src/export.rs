//! Exports: what a request chooses is checked, and an archive of it streamed while it is made.
//!
//! What surrounds an export, from the permit to the audit events, is [`crate::operation`]'s; [`crate::assembly`] makes the
//! archive.

mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_runtime::Caller;

use crate::assembly::{ArchiveRequest, Assembly, AssemblyContext, Lifetime, Plan, describe_plan};
use crate::error::{Error, Result};
use crate::membership::Membership;
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Operations, Replies};
use crate::seal::SealChoice;
use stream::Stream;

/// Exports among the operations.
pub(crate) static KIND: Kind = Kind {
    name: "export",
    started: Some("backup.export_started"),
    ended: "backup.exported",
    keeps: false,
    hands_on: false,
    // A chunk of 256 KiB each at most.
    queue: 4,
    busy: Error::Busy,
    too_long: Error::TooLong,
    stalled: Error::Stalled,
};

/// Makes exports; one for the whole process.
pub(crate) struct Exports {
    context: Arc<AssemblyContext>,
    membership: Arc<Membership>,
    operations: Operations,
    lifetime: Lifetime,
}

impl Exports {
    /// With no export running.
    pub(crate) fn create(
        context: Arc<AssemblyContext>,
        membership: Arc<Membership>,
        (limits, lifetime): (Limits, Lifetime),
        metrics: KindMetrics,
    ) -> Self {
        let operations = Operations::create(&KIND, limits, metrics);
        Self { context, membership, operations, lifetime }
    }

    /// Begins an export for `caller`, sealed as `choice` says; its messages come out of the stream.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Field`], [`Error::NoRecoveryRecipient`], the vault's and those of sources that have
    /// to be asked first.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        request: &ArchiveRequest,
        choice: SealChoice,
    ) -> Result<Replies<ExportBackupResponse>> {
        let permit = self.operations.admit()?;
        let context = &self.context;
        let plan = Plan::create(&context.sources, request).await?;
        let described = describe_plan(&plan, choice.name(), context.policy.recipients(&choice))?;
        let assembly = Assembly::prepare(context, plan, choice, self.lifetime).await?;
        let member = self.membership.current();
        let archive_id = assembly.archive_id.as_str();
        let record =
            AuditRecord::create(context.vault.clone(), &KIND, caller, archive_id, &assembly.file_name)
                .with(described)
                .with_at_start("instance", member.id.as_str())
                .with_at_start("archive_id", archive_id);
        let (vault, pinned) = (context.vault.clone(), archive_id.to_owned());
        let is_whole = Arc::new(AtomicBool::new(false));
        let whole = Arc::clone(&is_whole);
        // Once the client has every byte, it may have the archive, whatever becomes of the rest.
        let release = move |_: &Error| async move {
            if !whole.load(Ordering::Acquire) {
                vault.release_pins(&pinned).await;
            }
        };
        let work = |outlet, stop| async move {
            member.until_lost(Stream { assembly, outlet, is_whole }.send(stop)).await
        };
        Ok(self.operations.start(permit, record, work, release))
    }

    /// Ends what still runs and waits for its closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}
