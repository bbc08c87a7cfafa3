//! Plans a restore: verifies the whole archive and compares it with its target, without changing anything.
//!
//! Refusals are part of the plan, not errors, so that the caller gets all of them at once.

mod refusals;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::plan_restore_response::Message;
use strongroom_api::backup::v1::verify_backup_response::{Entry, Progress as Verified};
use strongroom_api::limits::{RING_BYTES, VAULT_SOURCE};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::Manifest;
use strongroom_archive::manifest::EntryRecord;
use tokio_util::sync::CancellationToken;

use super::Base;
use super::archive::Fetched;
use super::convert;
use super::loading::Shared;
use super::record::{ArchiveFacts, Progress, Request, plan_json};
use super::report;
use super::selection::{Selected, choose, is_vault, selected};
use super::target::{Compared, Place, Target};
use crate::backups::record::to_json;
use crate::error::{Error, Result};
use crate::incoming::{Archive, Staged};
use crate::metrics::Size;
use crate::operation::{Ended, Metadata, Outlet, put};
use crate::schedules::archived;
use crate::store::{RestoreRow, RestoreState};
use crate::vault_client::{InspectedRing, SigningKey};
use crate::verification::{Findings, Listener, Reporter};
use refusals::Refusals;

/// How long a plan can be applied, in microseconds.
const LIFETIME: i64 = 24 * 3600 * 1_000_000;

/// One plan being made.
pub(super) struct Planning {
    pub(super) base: Base,
    pub(super) request: Request,
    /// Trusted in addition to the vault's own keys.
    pub(super) signers: Vec<SigningKey>,
    pub(super) outlet: Outlet<proto::PlanRestoreResponse>,
    pub(super) stop: CancellationToken,
}

impl Planning {
    pub(super) async fn make(mut self) -> Result<Ended<proto::PlanRestoreResponse>> {
        let told = self.outlet.clone();
        let tell = move |bytes: u64| offer(&told, Progress { bytes: bytes as i64, ..phase("receive") });
        let Fetched { staged, file_name, .. } =
            &self.base.archives.fetch(&self.request.creator, &self.request.origin, tell).await?;
        self.request.archive = ArchiveFacts {
            file_name: file_name.clone(),
            sha256: staged.sha256.clone(),
            ..ArchiveFacts::default()
        };
        let reporter = Reporter::create(Arc::new(Told(self.outlet.clone())), self.base.archives.stall);
        let heard = (&reporter, &self.stop);
        let findings =
            Box::pin(self.base.verifier.verify(staged.again()?, &self.signers, heard, None)).await?;
        let mut plan = report::verified(&findings);
        let mut refusals = Refusals::of(&findings, !self.signers.is_empty());
        if !refusals.is_damaged() {
            Box::pin(self.compare_all(staged, &findings, &mut plan, &mut refusals)).await?;
        }
        plan.refusals = refusals.into_messages();
        self.keep(plan).await
    }

    async fn compare_all(
        &mut self,
        staged: &Staged,
        findings: &Findings,
        plan: &mut proto::RestorePlan,
        refusals: &mut Refusals,
    ) -> Result<()> {
        let mut archive = self.base.archives.open(staged.again()?).await?;
        self.request.archive.id.clone_from(&findings.verdict().archive_id);
        self.request.archive.time = Some(archive.manifest().created_at);
        self.request.archive.manifest_sha256 = manifest_digest(&archive);
        self.request.archive.audit_head.clone_from(&archive.manifest().audit_head);
        let ring = self.inspected_ring(&mut archive).await?;
        let has_empty_vault = ring.as_ref().is_some_and(|ring| ring.vault_empty);
        let (records, others) =
            choose(archive.manifest(), &self.base.sources, &self.request, has_empty_vault)?;
        let is_of_everything =
            self.request.sources.is_empty() && self.request.tables.is_empty() && self.request.rows.is_empty();
        if is_of_everything {
            plan.warnings.extend(self.take_schedules(&mut archive).await?);
        }
        self.request.sources = records.iter().map(|record| record.name.clone()).collect();
        let restores_vault = records.iter().any(is_vault);
        if !restores_vault {
            check_only_of_vault(&self.request)?;
        }
        let of_manifest = archive.manifest().deployment_id.clone();
        refusals.check_deployment(ring.as_ref(), of_manifest.as_deref(), &self.request, restores_vault);
        self.take_terms(ring.as_ref(), of_manifest, restores_vault);
        plan.warnings.extend(lost(archive.manifest(), ring.as_ref()));
        self.request.confirm = self.confirmation();
        if !others.is_empty() {
            let others = others.join(", ");
            plan.warnings.push(format!(
                "not part of this restore, although the archive has them: {others}; --sources names what is restored"
            ));
        }
        let parts = selected(archive, records, &self.request).await?;
        let has = |table: &str| parts.iter().flat_map(Selected::tables).any(|one| one.schema.name == table);
        report::values(plan, findings, has);
        if !self.request.accept_undecryptable {
            refusals.check_values(findings, has);
            if let Some(ring) = ring.as_ref().filter(|_| self.request.archive.is_of_another_root) {
                refusals.check_undeclared(findings, &ring.kids, has);
            }
        }
        if refusals.is_foreign() {
            return Ok(());
        }
        let mut places: Vec<(&str, Place)> = Vec::with_capacity(parts.len());
        for part in &parts {
            let compared = Box::pin(self.compare(staged, part)).await?;
            if let Some((other, _)) = places.iter().find(|(_, place)| place.overlaps(&compared.place)) {
                refusals.add(vec![report::shared_place(part.source(), other)]);
            }
            places.push((part.source(), compared.place));
            self.request.fingerprints.insert(part.source().to_owned(), compared.fingerprint);
            refusals.add(compared.refusals);
            plan.sources.push(compared.plan);
        }
        Ok(())
    }

    /// Takes over the archive's schedules that do not exist here; returns a warning about them.
    async fn take_schedules(&mut self, archive: &mut Archive) -> Result<Option<String>> {
        let document = archive.schedules(archived::MAX_BYTES)?.unwrap_or_default();
        for schedule in archived::read(&document) {
            if self.base.store.schedule(&schedule.name).await?.is_none() {
                self.request.schedules.push(schedule);
            }
        }
        let names: Vec<&str> = self.request.schedules.iter().map(|schedule| &*schedule.name).collect();
        Ok((!names.is_empty()).then(|| {
            format!(
                "schedules come back paused: {}; `strongroom schedule resume` lets them make backups",
                names.join(", ")
            )
        }))
    }

    /// The archive's key ring as inspected by the vault; `None` if the archive has no ring, or a changed one.
    async fn inspected_ring(&self, archive: &mut Archive) -> Result<Option<InspectedRing>> {
        let ring = archive.ring(RING_BYTES as u64)?.map(Bytes::from);
        Ok(match &ring {
            Some(ring) => self.base.vault.inspect_ring(ring).await?.ok(),
            None => None,
        })
    }

    /// Collects the terms of a grant, if one is needed.
    fn take_terms(
        &mut self,
        ring: Option<&InspectedRing>,
        of_manifest: Option<String>,
        restores_vault: bool,
    ) {
        let archive = &mut self.request.archive;
        archive.is_of_another_root = ring.is_some_and(|ring| ring.root_key_known && !ring.root_key_current);
        archive.deployment_id =
            ring.map(|ring| ring.deployment_id.clone()).or(of_manifest).unwrap_or_default();
        let needs_grant = restores_vault || archive.is_of_another_root;
        self.request.grantee = ring.filter(|_| needs_grant).map(|ring| ring.principal.clone());
    }

    /// The text to type as confirmation, which shows that its author has read which rows and files are deleted.
    fn confirmation(&self) -> String {
        match self.request.sources.as_slice() {
            _ if !self.request.mode.needs_confirmation() => String::new(),
            [only] => only.clone(),
            _ => self.base.app_name.clone(),
        }
    }

    /// The archive is opened anew for each source, because a comparison that fails does not return it.
    async fn compare(&self, staged: &Staged, part: &Selected) -> Result<Compared> {
        let archive = self.base.archives.open(staged.again()?).await?;
        let target = Target::of(&self.base, part.source())?;
        let progress: Shared = Arc::new(Mutex::new(phase("stage")));
        let compared = target.compare(archive, (part, &self.request), &progress);
        telling(&self.outlet, &progress, compared).await
    }

    async fn keep(self, plan: proto::RestorePlan) -> Result<Ended<proto::PlanRestoreResponse>> {
        let is_refused = !plan.refusals.is_empty();
        let create_time = self.base.clock.now_micros();
        let row = RestoreRow {
            id: uuid::Uuid::now_v7().to_string(),
            state: if is_refused { RestoreState::Refused } else { RestoreState::Planned },
            creator: self.request.creator.clone(),
            create_time,
            expire_time: create_time.saturating_add(LIFETIME),
            rollback_time: None,
            end_time: None,
            reason: String::new(),
            problem: String::new(),
            request: to_json(&self.request),
            plan: plan_json(&plan)?,
            journal: String::new(),
            progress: String::new(),
            safety_backup: String::new(),
            revision: 1,
        };
        self.base.store.add_restore(&row).await?;
        let metadata = describe(&self.request, &row, &plan);
        let size = Size { bytes: 0, rows: 0 };
        let restore = convert::restore(&row)?;
        let reply = proto::PlanRestoreResponse { message: Some(Message::Restore(restore)) };
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: vec![reply], size })
    }
}

/// Refuses options that would have no effect, so that nobody relies on them.
fn check_only_of_vault(request: &Request) -> Result<()> {
    for (field, is_given) in [("revive_ids", !request.revive_ids.is_empty()), ("as_copy", request.as_copy)] {
        if is_given {
            let problem =
                "is only for a restore of the vault, which this is not; name the vault with --sources vault";
            return Err(Error::field(field, problem));
        }
    }
    Ok(())
}

/// Warns about data that cannot be restored without the archive's root key.
fn lost(manifest: &Manifest, ring: Option<&InspectedRing>) -> Option<String> {
    let ring = ring.filter(|ring| !ring.root_key_known)?;
    let of_vault = |entry: &&EntryRecord| {
        entry.source.as_deref() == Some(VAULT_SOURCE) && entry.table.as_deref() == Some("credentials")
    };
    let credentials =
        manifest.entries.iter().filter(of_vault).filter_map(|entry| entry.rows).max().unwrap_or(0);
    Some(format!(
        "this vault does not have the root key {} of the archive: without it the {credentials} credentials of the archive and \
         every sealed value in it are lost. With it (vault.previous_root_key_files), a new plan restores them too",
        ring.root_key_id
    ))
}

/// Identifies an archive when it is applied: each entry is checked against its digest in the manifest.
pub(super) fn manifest_digest(archive: &Archive) -> String {
    hex::encode(Sha256::digest(archive.manifest_json()))
}

/// Metadata of a plan for the audit log.
fn describe(request: &Request, row: &RestoreRow, plan: &proto::RestorePlan) -> Metadata {
    let mut metadata = request.described(&row.id);
    let reasons: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.reason.as_str()).take(20).collect();
    put(&mut metadata, "refusals", reasons);
    metadata
}

fn phase(phase: &str) -> Progress {
    Progress { phase: phase.to_owned(), ..Progress::default() }
}

fn offer(outlet: &Outlet<proto::PlanRestoreResponse>, progress: Progress) {
    let message = Message::Progress(convert::progress(progress));
    outlet.offer(proto::PlanRestoreResponse { message: Some(message) });
}

/// Reports `progress` while `work` runs.
async fn telling<T>(
    outlet: &Outlet<proto::PlanRestoreResponse>,
    progress: &Shared,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let tell = async {
        loop {
            tokio::time::sleep(crate::operation::PROGRESS_INTERVAL).await;
            let now = progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            offer(outlet, now);
        }
    };
    tokio::select! {
        done = work => done,
        () = tell => Err(Error::ShuttingDown),
    }
}

/// Reports a verification's progress as that of a plan. A plan does not report verdicts on single entries.
struct Told(Outlet<proto::PlanRestoreResponse>);

#[async_trait]
impl Listener for Told {
    async fn entry(&self, _entry: Entry) -> Result<()> {
        Ok(())
    }

    fn progress(&self, progress: Verified) {
        let Verified { bytes_received, bytes_verified, bytes_total, entry, .. } = progress;
        let told = if bytes_received > 0 {
            Progress { bytes: bytes_received, ..phase("receive") }
        } else {
            Progress { table: entry, bytes: bytes_verified, bytes_total, ..phase("verify") }
        };
        offer(&self.0, told);
    }
}
