//! The vault restores its own rows: which rows come back, which stay unchanged, and who may restore.

mod cut_off;
mod gateway;
mod grants;
mod hostile;
mod keys;
mod rules;
mod total_loss;
mod two_processes;
mod undone;

use bytes::Bytes;
use strongroom_api::source::v1::read_snapshot_response::Message as Read;
use strongroom_api::source::v1::stage_tables_request::{Begin, Message, Rows, TableEnd};
use strongroom_api::source::v1::{
    AbortStageRequest, ArchiveIdentity, AuditHead, CommitStageRequest, CommitStageResponse,
    ReadSnapshotRequest, RestoreGrant, RestoreMode, RollbackStageRequest, Stage, StageTablesRequest, Table,
};
use strongroom_api::vault::v1::{
    ExportKeyRingRequest, GetAuditHeadRequest, IssueRestoreGrantRequest, RestoreTerms,
};
use tokio_stream::iter;
use tonic::Status;
use uuid::Uuid;

use crate::support::{Clients, TestVault};

/// Bytes in a message of rows: few enough that rows span several messages.
const PART: usize = 700;

/// A backup of a vault.
#[derive(Clone)]
struct Archive {
    /// Restored tables with their rows, joined in the protocol's format.
    tables: Vec<(String, Vec<u8>, i64)>,
    ring: Bytes,
    identity: ArchiveIdentity,
}

impl Archive {
    async fn of(vault: &TestVault) -> Self {
        let mut admin = vault.admin().await;
        let request = ReadSnapshotRequest::default();
        let mut stream = admin.source.read_snapshot(request).await.unwrap().into_inner();
        let (mut tables, mut kids, mut text, mut taken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                Read::Begun(begun) => {
                    kids = begun.kids;
                    let back = begun.tables.into_iter().filter(|table| !table.read_only);
                    taken = back.map(|table| table.name).collect();
                }
                Read::Rows(rows) => {
                    if !text.is_empty() {
                        text.extend_from_slice(b",\n");
                    }
                    text.extend_from_slice(&rows.json);
                }
                Read::TableEnd(end) => {
                    let text = std::mem::take(&mut text);
                    if taken.contains(&end.name) {
                        tables.push((end.name, text, end.rows));
                    }
                }
                Read::End(_) => {}
            }
        }
        let ring = admin.keys.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap().into_inner();
        let head = admin.audit.get_audit_head(GetAuditHeadRequest {}).await.unwrap().into_inner();
        let identity = ArchiveIdentity {
            archive_id: Uuid::now_v7().to_string(),
            manifest_sha256: vec![7; 32].into(),
            deployment_id: ring.deployment_id,
            source: "vault".into(),
            audit_head: Some(AuditHead { chain: head.chain, sequence: head.sequence, mac: head.mac }),
            ..Default::default()
        };
        Self { tables, ring: ring.ring, identity }
    }

    /// The text of one table.
    fn table(&mut self, name: &str) -> &mut (String, Vec<u8>, i64) {
        self.tables.iter_mut().find(|table| table.0 == name).unwrap()
    }
}

/// One restore, by the backup service with an admin's grant.
struct Restore {
    id: String,
    service: Clients,
    admin: Clients,
    principal: String,
    begin: Begin,
    archive: Archive,
    /// The grant with which a stage was last begun.
    granted: Option<RestoreGrant>,
}

impl Restore {
    async fn of(archive: &Archive, vault: &TestVault, mode: RestoreMode) -> Self {
        let mut admin = vault.admin().await;
        let issued = admin.issue(strongroom_testkit::requests::token("backup-service")).await.unwrap();
        let service = vault.clients(&issued.secret);
        let principal = format!("token:{}", issued.token.unwrap().id);
        let id = Uuid::now_v7().to_string();
        let begin = Begin {
            stage_id: id.clone(),
            mode: mode.into(),
            archive: Some(archive.identity.clone()),
            ring: archive.ring.clone(),
            ..Begin::default()
        };
        Self { id, service, admin, principal, begin, archive: archive.clone(), granted: None }
    }

    fn reviving(mut self, ids: &[&str]) -> Self {
        self.begin.revive_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    fn terms(&self) -> RestoreTerms {
        let Begin { mode, revive_ids, as_copy, from_deployment, accept_undecryptable, .. } =
            self.begin.clone();
        let identity = self.archive.identity.clone();
        RestoreTerms {
            principal: self.principal.clone(),
            restore_id: self.id.clone(),
            archive_id: identity.archive_id,
            manifest_sha256: identity.manifest_sha256,
            deployment_id: identity.deployment_id,
            mode,
            revive_ids,
            as_copy,
            from_deployment,
            accept_undecryptable,
            audit_head: identity.audit_head,
        }
    }

    async fn grant(&mut self, terms: RestoreTerms) -> Result<RestoreGrant, Status> {
        let request = IssueRestoreGrantRequest { terms: Some(terms) };
        Ok(self.admin.grants.issue_restore_grant(request).await?.into_inner().grant.unwrap())
    }

    async fn plan(&mut self) -> Result<Stage, Status> {
        self.send(Begin { stage_id: Uuid::now_v7().to_string(), dry_run: true, ..self.begin.clone() }).await
    }

    async fn stage(&mut self) -> Result<Stage, Status> {
        let grant = self.grant(self.terms()).await?;
        let staged = self.send(Begin { grant: Some(grant.clone()), ..self.begin.clone() }).await?;
        self.granted = Some(grant);
        Ok(staged)
    }

    /// Stages the rows, and returns the grant.
    async fn stage_granted(mut self) -> RestoreGrant {
        let _ = self.stage().await.unwrap();
        self.granted.unwrap()
    }

    async fn send(&mut self, begin: Begin) -> Result<Stage, Status> {
        let mut messages = vec![Message::Begin(begin)];
        for (name, text, rows) in &self.archive.tables {
            messages.push(Message::Table(Table { name: name.clone(), ..Table::default() }));
            let parts = text.chunks(PART).map(Bytes::copy_from_slice);
            messages.extend(parts.map(|json| Message::Rows(Rows { json })));
            messages.push(Message::TableEnd(TableEnd { rows: *rows }));
        }
        let requests = messages.into_iter().map(|message| StageTablesRequest { message: Some(message) });
        let requests: Vec<_> = requests.collect();
        Ok(self.service.source.stage_tables(iter(requests)).await?.into_inner().stage.unwrap())
    }

    async fn commit(&mut self) -> Result<CommitStageResponse, Status> {
        let request = CommitStageRequest { stage_id: self.id.clone() };
        Ok(self.service.source.commit_stage(request).await?.into_inner())
    }

    /// Stages and commits.
    async fn done(&mut self) -> CommitStageResponse {
        let _ = self.stage().await.unwrap();
        self.commit().await.unwrap()
    }

    async fn roll_back(&mut self, discard_changes: bool) -> Result<Stage, Status> {
        let grant = self.granted.clone();
        let request = RollbackStageRequest { stage_id: self.id.clone(), discard_changes, grant };
        Ok(self.service.source.rollback_stage(request).await?.into_inner().stage.unwrap())
    }

    async fn abort(&mut self, only_staged: bool) -> Result<(), Status> {
        let grant = self.granted.clone();
        let request = AbortStageRequest { stage_id: self.id.clone(), only_staged, grant };
        self.service.source.abort_stage(request).await.map(drop)
    }
}

/// A table's counts: created, changed, deleted, kept.
fn counts(stage: &Stage, table: &str) -> [i64; 4] {
    let found = stage.tables.iter().find(|found| found.name == table).unwrap();
    [found.created, found.changed, found.deleted, found.kept]
}

/// Reasons why a row stays unchanged, fully or in part.
fn reasons<'s>(stage: &'s Stage, id: &str) -> Vec<&'s str> {
    stage.kept.iter().filter(|row| row.id == id).map(|row| row.reason.as_str()).collect()
}

/// The log has no problems, and every row is at its last change.
async fn verified(admin: &mut Clients) {
    let request = strongroom_api::vault::v1::VerifyAuditLogRequest::default();
    let answer = admin.audit.verify_audit_log(request).await.unwrap().into_inner();
    assert!(answer.ok, "{:?}", answer.problems);
}

/// A status with this code and reason.
fn refused_as(status: &Status, code: tonic::Code, reason: &str) {
    crate::support::assert_refused(Err::<(), _>(status.clone()), code, reason);
}
