//! The audit log: changes in the database are found, and nothing happens without the log.

mod chain;
mod log;
mod pruning;

use strongroom_api::vault::v1::{
    GetAuditHeadRequest, GetAuditHeadResponse, VerifyAuditLogRequest, VerifyAuditLogResponse,
};
use strongroom_testkit::requests::credential;

use crate::support::{Clients, TestVault};

async fn head(clients: &mut Clients) -> GetAuditHeadResponse {
    clients.audit.get_audit_head(GetAuditHeadRequest {}).await.unwrap().into_inner()
}

async fn verify(clients: &mut Clients, anchor: Option<&GetAuditHeadResponse>) -> VerifyAuditLogResponse {
    let anchor = anchor.cloned().unwrap_or_default();
    let request = VerifyAuditLogRequest {
        anchor_sequence: anchor.sequence,
        anchor_mac: anchor.mac,
        ..Default::default()
    };
    clients.audit.verify_audit_log(request).await.unwrap().into_inner()
}

fn problems(found: &VerifyAuditLogResponse) -> Vec<(i64, &str)> {
    found.problems.iter().map(|problem| (problem.sequence, problem.reason.as_str())).collect()
}

/// A vault whose log has more than ten events; also returns the last sequence.
async fn with_events(vault: &TestVault) -> (Clients, i64) {
    let mut clients = vault.admin().await;
    for number in 0..10 {
        clients.create(credential(&format!("Credential {number}"))).await;
    }
    let last = head(&mut clients).await.sequence;
    (clients, last)
}
