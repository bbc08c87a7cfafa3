//! The vault as this service calls it: who a token is, the audit log, the key ring.
//!
//! Every call carries the service's own token and ends after [`TIMEOUT`]. The vault's tables are read through
//! [`crate::source`] on a connection of their own, so that bulk data never holds up a call made here.

mod verification;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::seal_service_client::SealServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_api::vault::v1::{
    AuditEvent, CloseAuditOperationsRequest, ExportKeyRingRequest, GetAuditHeadRequest,
    IntrospectTokenRequest, RecordAuditEventRequest, ReportKeyCensusRequest, SignManifestRequest,
    WrapFileKeyRequest,
};
use strongroom_archive::ManifestSignature;
use strongroom_archive::manifest::AuditHead;
use strongroom_archive::seal::{FileKey, VaultStanza};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::{Principal, Selectors};
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Status};

use crate::error::{Error, Result};
use crate::time::proto_time;

/// The longest that one call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) use verification::{Checks, SigningKey};

/// Waits before an event is tried again: a vault that restarts is back by then.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2), Duration::from_secs(4)];

/// A client of the vault; clones share one connection.
#[derive(Clone)]
pub(crate) struct Vault {
    url: Arc<str>,
    audit: AuditServiceClient<AuthorizedChannel>,
    crypto: CryptoServiceClient<AuthorizedChannel>,
    keys: KeyServiceClient<AuthorizedChannel>,
    seals: SealServiceClient<AuthorizedChannel>,
    tokens: TokenServiceClient<AuthorizedChannel>,
}

/// The ring for an archive.
pub(crate) struct KeyRing {
    /// The root key that restoring needs.
    pub(crate) root_key_id: String,
    /// The document for `keys/ring.json`.
    pub(crate) json: Vec<u8>,
    /// Key and kid of each version.
    versions: Vec<(String, String)>,
}

impl KeyRing {
    /// Whether `kid` is a version of any key.
    pub(crate) fn has_version(&self, kid: &str) -> bool {
        self.versions.iter().any(|(_, version)| version == kid)
    }

    /// Whether `kid` is a version of `key`.
    pub(crate) fn has(&self, key: &str, kid: &str) -> bool {
        self.versions.iter().any(|(other, version)| other == key && version == kid)
    }
}

#[derive(Serialize)]
struct RingDocument<'a> {
    root_key_id: &'a str,
    versions: Vec<RingVersion<'a>>,
}

#[derive(Serialize)]
struct RingVersion<'a> {
    kid: &'a str,
    key_id: &'a str,
    purpose: &'a str,
    number: i32,
    state: &'a str,
    root_key_id: &'a str,
    wrapped: &'a str,
}

impl Vault {
    /// A client that connects at its first call.
    ///
    /// # Errors
    /// [`Error::Runtime`] for an unusable address or certificate.
    pub(crate) fn create(target: &Target, bearer: &Bearer) -> Result<Self> {
        let channel = InterceptedService::new(target.channel()?, bearer.clone());
        Ok(Self {
            url: target.url.as_str().into(),
            audit: AuditServiceClient::new(channel.clone()),
            crypto: CryptoServiceClient::new(channel.clone()),
            keys: KeyServiceClient::new(channel.clone()),
            seals: SealServiceClient::new(channel.clone()),
            tokens: TokenServiceClient::new(channel),
        })
    }

    /// Who a caller's token stands for; `None` when it is not valid (any more).
    ///
    /// # Errors
    /// [`Error::VaultAway`], [`Error::VaultRefused`], [`Error::VaultFailed`], here and below.
    pub(crate) async fn introspect(&self, token: &str) -> Result<Option<Principal>> {
        let request = limited(IntrospectTokenRequest { token: token.to_owned() });
        let answer = self.tokens.clone().introspect_token(request).await;
        let answer = answer.map_err(|status| self.error(status))?.into_inner();
        if !answer.active {
            return Ok(None);
        }
        let permissions = Arc::new(answer.permissions.into_iter().collect());
        let selectors = Selectors::from_proto(&answer.selectors).map_err(Error::Defect)?;
        let selectors = Arc::new(selectors);
        Ok(Some(Principal { id: answer.principal, name: answer.name, permissions, selectors }))
    }

    /// Appends `event` to the audit log. It is durable once this returns.
    pub(crate) async fn record(&self, event: AuditEvent) -> Result<()> {
        let request = limited(RecordAuditEventRequest { event: Some(event) });
        self.audit.clone().record_audit_event(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }

    /// The same for an event with an operation id, which makes a repetition harmless: a vault that is away is asked
    /// again for some seconds.
    pub(crate) async fn record_patiently(&self, event: AuditEvent) -> Result<()> {
        for wait in RETRIES {
            match self.record(event.clone()).await {
                Err(Error::VaultAway { .. }) => tokio::time::sleep(wait).await,
                recorded => return recorded,
            }
        }
        self.record(event).await
    }

    /// Closes started exports that nobody ends any more: those of `instance` (unless empty) and those
    /// started before a time, in microseconds. Returns how many.
    pub(crate) async fn close_exports(&self, instance: &str, started_before: i64) -> Result<i64> {
        let request = limited(CloseAuditOperationsRequest {
            started_event: crate::export::STARTED.to_owned(),
            ended_event: crate::export::ENDED.to_owned(),
            instance: instance.to_owned(),
            started_before: Some(proto_time(started_before)),
        });
        let answer = self.audit.clone().close_audit_operations(request).await;
        Ok(answer.map_err(|status| self.error(status))?.into_inner().closed)
    }

    /// Where the audit log stands; `None` while it is empty.
    pub(crate) async fn audit_head(&self) -> Result<Option<AuditHead>> {
        let answer = self.audit.clone().get_audit_head(limited(GetAuditHeadRequest {})).await;
        let head = answer.map_err(|status| self.error(status))?.into_inner();
        let sequence = u64::try_from(head.sequence).unwrap_or(0);
        Ok((sequence > 0).then_some(AuditHead { sequence, mac: head.mac }))
    }

    /// The key ring as the root key wraps it.
    pub(crate) async fn key_ring(&self) -> Result<KeyRing> {
        let answer = self.keys.clone().export_key_ring(limited(ExportKeyRingRequest {})).await;
        let ring = answer.map_err(|status| self.error(status))?.into_inner();
        let mut versions = Vec::with_capacity(ring.versions.len());
        for version in &ring.versions {
            versions.push(RingVersion {
                kid: &version.kid,
                key_id: &version.key_id,
                purpose: &version.purpose,
                number: version.number,
                state: &version.state,
                root_key_id: &version.root_key_id,
                wrapped: &version.wrapped,
            });
        }
        let document = RingDocument { root_key_id: &ring.root_key_id, versions };
        let mut json = serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::Defect(format!("the key ring makes no JSON: {error}")))?;
        json.push(b'\n');
        let versions = ring.versions.into_iter().map(|version| (version.key_id, version.kid)).collect();
        Ok(KeyRing { root_key_id: ring.root_key_id, json, versions })
    }

    /// Reports how many values of `key` a column holds: by kid, as counted at a time in microseconds.
    pub(crate) async fn report_census(
        &self,
        key: &str,
        source: &str,
        column: &str,
        values: HashMap<String, i64>,
        time: i64,
    ) -> Result<()> {
        let request = limited(ReportKeyCensusRequest {
            key_id: key.to_owned(),
            column: column.to_owned(),
            source: source.to_owned(),
            values,
            count_time: Some(proto_time(time)),
        });
        self.keys.clone().report_key_census(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }

    /// Has the vault wrap the file key of an archive.
    pub(crate) async fn wrap_file_key(&self, file_key: &FileKey, archive_id: &str) -> Result<VaultStanza> {
        let file_key = file_key.expose().to_vec().into();
        let request = limited(WrapFileKeyRequest { file_key, archive_id: archive_id.to_owned() });
        let answer = self.seals.clone().wrap_file_key(request).await;
        let wrapped = answer.map_err(|status| self.error(status))?.into_inner();
        Ok(VaultStanza::new(&wrapped.root_key_id, wrapped.wrapped.into())?)
    }

    /// Has the vault sign a manifest, of which it gets the digest: a manifest may be longer than a message.
    pub(crate) async fn sign_manifest(&self, manifest: &[u8]) -> Result<ManifestSignature> {
        let request = limited(SignManifestRequest {
            sha256: Sha256::digest(manifest).to_vec().into(),
            ..SignManifestRequest::default()
        });
        let answer = self.crypto.clone().sign_manifest(request).await;
        let signed = answer.map_err(|status| self.error(status))?.into_inner();
        let signature = ManifestSignature::new(&signed.kid, &signed.signature);
        signature.ok_or_else(|| Error::Defect("the vault's signature has another form".into()))
    }

    fn error(&self, status: Status) -> Error {
        vault_error(&self.url, status)
    }
}

/// What a status of the vault at `url` means.
pub(crate) fn vault_error(url: &str, status: Status) -> Error {
    let source = Box::new(status);
    match source.code() {
        code if is_away(code) => Error::VaultAway { url: url.to_owned(), source },
        Code::Unauthenticated | Code::PermissionDenied => Error::VaultRefused { source },
        _ => Error::VaultFailed { source },
    }
}

/// Codes of a peer that is not there, not ready, or lost on the way (tonic calls a broken connection
/// UNKNOWN or CANCELLED).
pub(crate) fn is_away(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
}

/// Adds to an event's metadata, whose values are JSON texts.
pub(crate) fn put(metadata: &mut HashMap<String, String>, key: &str, value: impl Into<Value>) {
    metadata.insert(key.to_owned(), value.into().to_string());
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}
