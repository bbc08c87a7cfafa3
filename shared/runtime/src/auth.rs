//! Authentication and authorization: a tower layer in front of every method.
//!
//! A method's permission is declared next to it in the proto. A method without one is refused to every caller. Health
//! is open, because probes carry no token; reflection needs a valid token but no permission. A call without a token
//! acts as the connection's client certificate, if there is one.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use tonic::body::Body;
use tonic::{Code, Status};
use zeroize::Zeroizing;

use crate::identity;
use crate::printable::printable;
use crate::selectors::Selectors;
use crate::server::connections::Peer;
use crate::server::places::{CallPlaces, Place};
use crate::status::status;
use crate::strangers::Strangers;
use crate::telemetry::trace_id;

/// Maximum number of names of an unknown certificate that an error repeats: error details have a size limit.
const SHOWN_NAMES: usize = 3;

/// A service does not learn which of these applies.
const REFUSED: &str = "the token is unknown, expired or revoked, or so is one of its issuers, or it is bound to another service";

/// The principal behind a token or a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id in the audit log: `token:<id>`, or `identity:<name in the certificate>`.
    pub id: String,
    /// Its name for people: the token's name, or the name in the certificate.
    pub name: String,
    /// Its permissions.
    pub permissions: Arc<BTreeSet<String>>,
    /// The part of the deployment that these permissions cover.
    pub selectors: Arc<Selectors>,
    /// The statement with which this service acts for it at the vault.
    pub delegation: Delegation,
    /// SHA-256 of the presented token if this service checked the token itself; otherwise empty.
    pub token_hash: Vec<u8>,
}

/// The vault's statement that the principal has called this service; empty if the vault itself is called. Its `Debug`
/// output is redacted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Delegation(Bytes);

impl Delegation {
    /// A statement as the vault sent it.
    #[must_use]
    pub fn new(statement: Bytes) -> Self {
        Self(statement)
    }

    /// The statement. Send it to the vault only.
    #[must_use]
    pub fn expose(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delegation([redacted])")
    }
}

impl Principal {
    /// Whether it has `permission`.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Its name in messages: `token` or `identity`.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        if self.id.starts_with(identity::PRINCIPAL) { "identity" } else { "token" }
    }

    /// Whether it may use the caller key. If not, answer as if the key did not exist.
    #[must_use]
    pub fn may_use_key(&self, key_id: &str) -> bool {
        self.selectors.admits_key(key_id)
    }
}

/// An admitted call. Handlers find it in the request's extensions.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The calling principal.
    pub principal: Principal,
    /// The principal that makes the call on the caller's behalf; empty if the caller makes it directly.
    pub via: String,
    /// The call's trace id, or empty.
    pub trace_id: String,
}

impl Caller {
    /// The caller of `request`.
    ///
    /// # Errors
    /// UNAUTHENTICATED if the layer did not run before the handler.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .ok_or_else(|| unauthenticated("the call carries no token"))
    }
}

/// Resolves tokens and certificate names to principals, and records refusals.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The service's name: the `domain` of its errors.
    fn domain(&self) -> &'static str;

    /// Resolves a token; `None` if it is unknown, expired or revoked. Drop the text as soon as it has been checked,
    /// which wipes it.
    ///
    /// # Errors
    /// UNAVAILABLE if the answer cannot be determined now.
    async fn authenticate(&self, token: Zeroizing<String>) -> Result<Option<Principal>, Status>;

    /// Resolves the names in a certificate; `None` if no principal has any of them. They have the form described in
    /// [`crate::identity`], and the certificate has been verified.
    ///
    /// # Errors
    /// UNAUTHENTICATED if several principals have them, UNAVAILABLE if the answer cannot be determined now.
    async fn identity(&self, names: &[String]) -> Result<Option<Principal>, Status>;

    /// Records that `caller` was refused `method` for lack of `permission`.
    async fn denied(&self, caller: &Caller, method: &str, permission: &str);
}

/// PERMISSION_DENIED that names the missing permission; `holder` is the [`Principal::noun`] of the caller.
#[must_use]
pub fn permission_denied(domain: &str, holder: &str, method: &str, permission: &str) -> Status {
    status(
        Code::PermissionDenied,
        domain,
        "PERMISSION_MISSING",
        &format!("{method} needs the permission {permission}, which this {holder} does not carry"),
        &[("permission", permission), ("method", method)],
    )
}

fn unauthenticated(message: &str) -> Status {
    let advice = format!("{message}; send \"authorization: Bearer srt_…\"");
    status(Code::Unauthenticated, "strongroom", "UNAUTHENTICATED", &advice, &[])
}

/// Puts [`Authenticator`] in front of a router.
#[derive(Clone)]
pub struct AuthLayer {
    authenticator: Arc<dyn Authenticator>,
    places: CallPlaces,
    strangers: Strangers,
}

impl AuthLayer {
    /// A layer that asks `authenticator`, and takes a place from `places` as soon as the caller is known.
    #[must_use]
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, places: CallPlaces) -> Self {
        Self { authenticator, places, strangers: Strangers::default() }
    }
}

impl<S> tower::Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            authenticator: Arc::clone(&self.authenticator),
            places: self.places.clone(),
            strangers: self.strangers.clone(),
            inner,
        }
    }
}

/// The service made by [`AuthLayer`].
#[derive(Clone)]
pub struct AuthService<S> {
    authenticator: Arc<dyn Authenticator>,
    places: CallPlaces,
    strangers: Strangers,
    inner: S,
}

impl<S> tower::Service<Request<Body>> for AuthService<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (authenticator, places) = (Arc::clone(&self.authenticator), self.places.clone());
        let strangers = self.strangers.clone();
        // Only the original was polled ready, so it serves this call, not the clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let peer = request.extensions().get::<Peer>().cloned();
            if let Some(peer) = &peer {
                peer.called();
            }
            if !path.starts_with("/grpc.health.v1.Health/") {
                let names = peer.as_ref().and_then(Peer::names);
                // Nothing behind this layer sees the token.
                let sent = request.headers_mut().remove(header::AUTHORIZATION);
                match admit(authenticator.as_ref(), &places, sent, names, &path).await {
                    Ok((caller, place)) => {
                        if let Some(peer) = &peer {
                            peer.authenticated();
                        }
                        tracing::Span::current().record("strongroom.principal", caller.principal.id.as_str());
                        request.extensions_mut().insert(place);
                        request.extensions_mut().insert(caller)
                    }
                    Err(status) => {
                        if status.code() == Code::Unauthenticated {
                            strangers.count(peer.map(|peer| peer.address()));
                        }
                        return Ok(status.into_http());
                    }
                };
            }
            inner.call(request).await
        })
    }
}

/// The caller and the place of the call. The place is taken before the permission check, because a refusal costs work
/// too: each is recorded.
async fn admit(
    authenticator: &dyn Authenticator,
    places: &CallPlaces,
    sent: Option<HeaderValue>,
    names: Option<&[String]>,
    path: &str,
) -> Result<(Caller, Arc<Place>), Status> {
    let principal = match (sent, names) {
        (None, Some(names)) => identified(authenticator, names).await?,
        (sent, _) => authenticated(authenticator, sent).await?,
    };
    let caller = Caller { principal, via: String::new(), trace_id: trace_id() };
    let place = places.take(path, &caller.principal.id)?;
    if path.starts_with("/grpc.reflection.") {
        return Ok((caller, place));
    }
    let Some(permission) = strongroom_api::permission_of(path) else {
        return Err(Status::unimplemented(format!("there is no method {path}")));
    };
    if !caller.principal.may(permission) {
        let method = path.trim_start_matches('/');
        authenticator.denied(&caller, method, permission).await;
        let holder = caller.principal.noun();
        return Err(permission_denied(authenticator.domain(), holder, method, permission));
    }
    Ok((caller, place))
}

async fn authenticated(
    authenticator: &dyn Authenticator,
    sent: Option<HeaderValue>,
) -> Result<Principal, Status> {
    let token = sent.as_ref().and_then(bearer);
    drop(sent);
    let token = token.ok_or_else(|| unauthenticated("the call carries no token"))?;
    let principal = authenticator.authenticate(token).await?;
    principal.ok_or_else(|| unauthenticated(REFUSED))
}

async fn identified(authenticator: &dyn Authenticator, names: &[String]) -> Result<Principal, Status> {
    if let Some(problem) = identity::problem(names) {
        let said = format!("the call carries no token, and the client certificate {problem}");
        return Err(unauthenticated(&said));
    }
    let principal = authenticator.identity(names).await?;
    principal.ok_or_else(|| {
        let shown: Vec<_> = names.iter().take(SHOWN_NAMES).map(|name| printable(name)).collect();
        let shown = shown.join(", ");
        unauthenticated(&format!(
            "the call carries no token, and no identity of the vault has a name of the client certificate ({shown}); \
             add one as [[vault.identities]]"
        ))
    })
}

fn bearer(sent: &HeaderValue) -> Option<Zeroizing<String>> {
    let (scheme, token) = sent.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Zeroizing::new(token.trim().to_owned()))
}
