//! Builders for the vault's requests. Each starts with valid values in every required field; a test changes
//! the field that it is about.

use strongroom_api::vault::v1::{
    AuditOutcome, BindReferenceRequest, CreateCredentialRequest, IntrospectTokenRequest, IssueTokenRequest,
    ListAuditEventsRequest, RecordAuditEventRequest, ResolveReferenceRequest, RevealCredentialRequest,
    Selector, ServiceEvent,
};
use strongroom_crypto::Token;

/// Creates an OpenAI credential with this name, whose secret is [`secret_of`] the name.
#[must_use]
pub fn credential(name: &str) -> CreateCredentialRequest {
    CreateCredentialRequest {
        display_name: name.into(),
        provider: "openai".into(),
        secret: secret_of(name).into(),
        ..Default::default()
    }
}

/// The secret of [`credential`].
#[must_use]
pub fn secret_of(name: &str) -> String {
    format!("sk-the-secret-of-{name}")
}

/// Setters for the fields of a new credential that tests change most.
pub trait CredentialBuilder: Sized {
    /// Sets the provider.
    #[must_use]
    fn provider(self, provider: &str) -> Self;
    /// Sets the secret.
    #[must_use]
    fn secret(self, secret: impl Into<Vec<u8>>) -> Self;
    /// Sets the labels: names and values.
    #[must_use]
    fn labels(self, labels: &[(&str, &str)]) -> Self;
}

impl CredentialBuilder for CreateCredentialRequest {
    fn provider(self, provider: &str) -> Self {
        Self { provider: provider.into(), ..self }
    }

    fn secret(self, secret: impl Into<Vec<u8>>) -> Self {
        Self { secret: secret.into().into(), ..self }
    }

    fn labels(self, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { labels, ..self }
    }
}

/// Reveals a credential's current secret.
#[must_use]
pub fn reveal(id: &str) -> RevealCredentialRequest {
    RevealCredentialRequest { id: id.into(), previous: false }
}

/// Binds a consumer to a credential.
#[must_use]
pub fn binding(kind: &str, consumer: &str, credential_id: &str) -> BindReferenceRequest {
    BindReferenceRequest {
        kind: kind.into(),
        consumer: consumer.into(),
        credential_id: credential_id.into(),
        ..Default::default()
    }
}

/// Resolves the reference of an endpoint.
#[must_use]
pub fn endpoint(consumer: &str) -> ResolveReferenceRequest {
    ResolveReferenceRequest { kind: "endpoint".into(), consumer: consumer.into() }
}

/// Issues a token with this role and without selectors.
#[must_use]
pub fn token(role: &str) -> IssueTokenRequest {
    IssueTokenRequest { name: format!("a {role}"), role: role.into(), ..Default::default() }
}

/// Setters for the fields of a new token that tests change most.
pub trait TokenBuilder: Sized {
    /// Narrows the token to these selectors.
    #[must_use]
    fn selectors(self, selectors: impl Into<Vec<Selector>>) -> Self;
}

impl TokenBuilder for IssueTokenRequest {
    fn selectors(self, selectors: impl Into<Vec<Selector>>) -> Self {
        Self { selectors: selectors.into(), ..self }
    }
}

/// Lists the events with a name, or of a family: `credential.*`.
#[must_use]
pub fn events(name: &str) -> ListAuditEventsRequest {
    ListAuditEventsRequest { event: name.into(), ..Default::default() }
}

/// Introspects a caller's token, as a service does.
///
/// # Panics
/// If the text is not a token.
#[must_use]
pub fn introspect(token: &str) -> IntrospectTokenRequest {
    let hash = Token::parse(token).expect("a token").introspect_hash();
    IntrospectTokenRequest { introspect_hash: hash.to_vec().into() }
}

/// Records a success, as a service does on behalf of the delegating caller.
#[must_use]
pub fn record(event: &str, delegation: &[u8]) -> RecordAuditEventRequest {
    let event = ServiceEvent {
        event: event.into(),
        outcome: AuditOutcome::Success.into(),
        ..ServiceEvent::default()
    };
    RecordAuditEventRequest { event: Some(event), delegation: delegation.to_vec().into() }
}
