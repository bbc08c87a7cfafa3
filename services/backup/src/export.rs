//! Exports: checks the request's selection, and streams an archive of it while it is made.
//!
//! [`crate::operation`] handles everything around an export, from the permit to the audit events; [`crate::assembly`]
//! makes the archive.

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

/// The operation kind of exports.
pub(crate) static KIND: Kind = Kind {
    name: "export",
    started: Some("backup.export_started"),
    ended: "backup.exported",
    keeps: false,
    hands_on: false,
    // Chunks of at most 256 KiB each.
    queue: 4,
    busy: Error::Busy,
    too_long: Error::TooLong,
    stalled: Error::Stalled,
};

/// Makes exports; one instance per process.
pub(crate) struct Exports {
    context: Arc<AssemblyContext>,
    membership: Arc<Membership>,
    operations: Operations,
    lifetime: Lifetime,
}

impl Exports {
    pub(crate) fn create(
        context: Arc<AssemblyContext>,
        membership: Arc<Membership>,
        (limits, lifetime): (Limits, Lifetime),
        metrics: KindMetrics,
    ) -> Self {
        let operations = Operations::create(&KIND, limits, metrics);
        Self { context, membership, operations, lifetime }
    }

    /// Begins an export for `caller`, sealed according to `choice`; its messages arrive in the stream.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Field`], [`Error::NoRecoveryRecipient`], the vault's errors, and those of sources that
    /// have to be asked first.
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
        // Once the last byte has been sent, the client may have the whole archive, even if a later step fails.
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

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}
