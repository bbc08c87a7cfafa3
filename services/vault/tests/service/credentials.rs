//! Rotation, references and narrowed tokens from outside, on both databases.
#![expect(clippy::unwrap_used, reason = "tests")]

mod opening;
mod references;
mod rotation;
mod selectors;
#[path = "../server/mod.rs"]
mod server;

use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_api::vault::v1::{
    AuditEvent, BindReferenceRequest, CreateCredentialRequest, Credential, DeactivateCredentialRequest,
    IssueTokenRequest, ListAuditEventsRequest, ResolveReferenceRequest, RevealCredentialRequest, Selector,
};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use server::Clients;

fn new_credential(name: &str, provider: &str, labels: &[(&str, &str)]) -> CreateCredentialRequest {
    CreateCredentialRequest {
        display_name: name.into(),
        provider: provider.into(),
        secret: format!("sk-the-secret-of-{name}").into(),
        labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..Default::default()
    }
}

async fn create(clients: &mut Clients, name: &str, provider: &str, labels: &[(&str, &str)]) -> Credential {
    let request = new_credential(name, provider, labels);
    clients.credentials.create_credential(request).await.unwrap().into_inner().credential.unwrap()
}

async fn reveal(clients: &mut Clients, id: &str, previous: bool) -> Result<String, Status> {
    let request = RevealCredentialRequest { id: id.into(), previous };
    let secret = clients.credentials.reveal_credential(request).await?.into_inner().secret;
    Ok(String::from_utf8(secret.to_vec()).unwrap())
}

async fn deactivate(clients: &mut Clients, id: &str) {
    let off = DeactivateCredentialRequest { id: id.into(), etag: String::new() };
    clients.credentials.deactivate_credential(off).await.unwrap();
}

fn binding(kind: &str, consumer: &str, credential_id: &str) -> BindReferenceRequest {
    BindReferenceRequest {
        kind: kind.into(),
        consumer: consumer.into(),
        credential_id: credential_id.into(),
        ..Default::default()
    }
}

/// The secret, and the reasons of what was passed over.
async fn resolve(clients: &mut Clients, consumer: &str) -> Result<(String, Vec<String>), Status> {
    let request = ResolveReferenceRequest { kind: "endpoint".into(), consumer: consumer.into() };
    let resolved = clients.references.resolve_reference(request).await?.into_inner();
    let skipped = resolved.skipped.into_iter().map(|skipped| skipped.reason).collect();
    Ok((String::from_utf8(resolved.secret.to_vec()).unwrap(), skipped))
}

async fn issue(clients: &mut Clients, role: &str, selectors: Vec<Selector>) -> Result<String, Status> {
    let name = format!("a {role}");
    let request = IssueTokenRequest { name, role: role.into(), selectors, ..Default::default() };
    Ok(clients.tokens.issue_token(request).await?.into_inner().secret)
}

fn label(pair: &str) -> Selector {
    Selector { selector: Some(Kind::Label(pair.into())) }
}

async fn events(clients: &mut Clients, family: &str) -> Vec<AuditEvent> {
    let request = ListAuditEventsRequest { event: family.into(), ..Default::default() };
    clients.audit.list_audit_events(request).await.unwrap().into_inner().events
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_str()), (code, reason), "{}", status.message());
}

#[track_caller]
fn assert_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
    assert!(status.message().starts_with(&format!("{field}: ")), "{field}: {}", status.message());
    assert!(!status.message().contains("sk-the-secret"), "no message repeats a secret");
}
