//! Tokens that end: with their issuers, with their secrets, and at a service that they are not for.

mod bindings;
mod issuers;
mod secrets;

use prost_types::Timestamp;
use strongroom_api::vault::v1::{
    IntrospectTokenRequest, IssueTokenRequest, IssueTokenResponse, ListTokensRequest, RevokeTokenRequest,
    Token,
};
use strongroom_runtime::Clock as _;
use strongroom_testkit::ManualClock;
use strongroom_testkit::requests::token;
use tonic::Status;

use crate::support::Clients;

/// An admin token with this expiry.
fn until(expire_time: Option<Timestamp>) -> IssueTokenRequest {
    IssueTokenRequest { expire_time, ..token("admin") }
}

/// This many seconds from now.
pub(crate) fn after(clock: &ManualClock, seconds: i64) -> Timestamp {
    Timestamp { seconds: clock.now_micros() / 1_000_000 + seconds, nanos: 0 }
}

fn id_of(issued: &IssueTokenResponse) -> String {
    issued.token.as_ref().unwrap().id.clone()
}

fn introspect_hash(secret: &str) -> bytes::Bytes {
    strongroom_crypto::Token::parse(secret).unwrap().introspect_hash().to_vec().into()
}

async fn revoke(clients: &mut Clients, id: &str) -> Result<Token, Status> {
    let request = RevokeTokenRequest { id: id.into() };
    Ok(clients.tokens.revoke_token(request).await?.into_inner().token.unwrap())
}

/// Whether the token is valid, as told to a service.
pub(crate) async fn is_active(clients: &mut Clients, secret: &str) -> bool {
    let request = IntrospectTokenRequest { introspect_hash: introspect_hash(secret) };
    clients.tokens.introspect_token(request).await.unwrap().into_inner().active
}

async fn listed(clients: &mut Clients, id: &str) -> Token {
    let request = ListTokensRequest { page_size: 1000, ..Default::default() };
    let tokens = clients.tokens.list_tokens(request).await.unwrap().into_inner().tokens;
    tokens.into_iter().find(|token| token.id == id).unwrap()
}
