//! The vault's clients with one token, and the calls that many tests make.

use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::person_service_client::PersonServiceClient;
use strongroom_api::vault::v1::reference_service_client::ReferenceServiceClient;
use strongroom_api::vault::v1::restore_grant_service_client::RestoreGrantServiceClient;
use strongroom_api::vault::v1::seal_service_client::SealServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_api::vault::v1::{
    AuditEvent, BindReferenceRequest, CreateCredentialRequest, Credential, DeactivateCredentialRequest,
    IssueTokenRequest, IssueTokenResponse, Reference, RevealCredentialRequest,
};
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_testkit::requests;
use tonic::Status;

/// A client of each service.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) credentials: CredentialServiceClient<AuthorizedChannel>,
    pub(crate) references: ReferenceServiceClient<AuthorizedChannel>,
    pub(crate) tokens: TokenServiceClient<AuthorizedChannel>,
    pub(crate) people: PersonServiceClient<AuthorizedChannel>,
    pub(crate) keys: KeyServiceClient<AuthorizedChannel>,
    pub(crate) audit: AuditServiceClient<AuthorizedChannel>,
    pub(crate) crypto: CryptoServiceClient<AuthorizedChannel>,
    pub(crate) seals: SealServiceClient<AuthorizedChannel>,
    pub(crate) source: SourceServiceClient<AuthorizedChannel>,
    pub(crate) grants: RestoreGrantServiceClient<AuthorizedChannel>,
}

impl Clients {
    pub(super) fn new(channel: &AuthorizedChannel) -> Self {
        Self {
            credentials: CredentialServiceClient::new(channel.clone()),
            references: ReferenceServiceClient::new(channel.clone()),
            tokens: TokenServiceClient::new(channel.clone()),
            people: PersonServiceClient::new(channel.clone()),
            keys: KeyServiceClient::new(channel.clone()),
            audit: AuditServiceClient::new(channel.clone()),
            crypto: CryptoServiceClient::new(channel.clone()),
            seals: SealServiceClient::new(channel.clone()),
            source: SourceServiceClient::new(channel.clone()),
            grants: RestoreGrantServiceClient::new(channel.clone()),
        }
    }

    pub(crate) async fn create(&mut self, request: CreateCredentialRequest) -> Credential {
        self.credentials.create_credential(request).await.unwrap().into_inner().credential.unwrap()
    }

    /// The current secret.
    pub(crate) async fn reveal(&mut self, id: &str) -> Result<String, Status> {
        self.open(requests::reveal(id)).await
    }

    /// The secret before the last rotation.
    pub(crate) async fn reveal_previous(&mut self, id: &str) -> Result<String, Status> {
        self.open(RevealCredentialRequest { previous: true, ..requests::reveal(id) }).await
    }

    async fn open(&mut self, request: RevealCredentialRequest) -> Result<String, Status> {
        let secret = self.credentials.reveal_credential(request).await?.into_inner().secret;
        Ok(String::from_utf8(secret.to_vec()).unwrap())
    }

    pub(crate) async fn deactivate(&mut self, id: &str) {
        let off = DeactivateCredentialRequest { id: id.into(), etag: String::new() };
        self.credentials.deactivate_credential(off).await.unwrap();
    }

    pub(crate) async fn bind(&mut self, request: BindReferenceRequest) -> Result<Reference, Status> {
        Ok(self.references.bind_reference(request).await?.into_inner().reference.unwrap())
    }

    /// The secret that an endpoint gets, and the reasons why candidates were skipped.
    pub(crate) async fn resolve(&mut self, endpoint: &str) -> Result<(String, Vec<String>), Status> {
        let request = requests::endpoint(endpoint);
        let resolved = self.references.resolve_reference(request).await?.into_inner();
        let skipped = resolved.skipped.into_iter().map(|skipped| skipped.reason).collect();
        Ok((String::from_utf8(resolved.secret.to_vec()).unwrap(), skipped))
    }

    pub(crate) async fn issue(&mut self, request: IssueTokenRequest) -> Result<IssueTokenResponse, Status> {
        Ok(self.tokens.issue_token(request).await?.into_inner())
    }

    /// Events of a name or a family, newest first.
    pub(crate) async fn events(&mut self, name: &str) -> Vec<AuditEvent> {
        let request = requests::events(name);
        self.audit.list_audit_events(request).await.unwrap().into_inner().events
    }

    /// The same, oldest first.
    pub(crate) async fn events_in_order(&mut self, name: &str) -> Vec<AuditEvent> {
        let mut events = self.events(name).await;
        events.reverse();
        events
    }

    /// Actors of the events of a family, oldest first.
    pub(crate) async fn actors(&mut self, name: &str) -> Vec<String> {
        self.events_in_order(name).await.into_iter().map(|event| event.actor).collect()
    }

    /// Names of the events of a family, oldest first.
    pub(crate) async fn event_names(&mut self, name: &str) -> Vec<String> {
        self.events_in_order(name).await.into_iter().map(|event| event.event).collect()
    }
}
