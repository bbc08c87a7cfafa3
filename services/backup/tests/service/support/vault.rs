//! A fake vault that admits the given callers, records events and serves two tables.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http_body_util::BodyExt as _;
use strongroom_api::source::v1 as source;
use strongroom_api::source::v1::read_snapshot_response::{Begun, End, Message, Rows, TableEnd};
use strongroom_api::source::v1::source_service_server::{SourceService, SourceServiceServer};
use strongroom_api::vault::v1 as vault;
use strongroom_api::vault::v1::audit_service_server::{AuditService, AuditServiceServer};
use strongroom_api::vault::v1::crypto_service_server::CryptoServiceServer;
use strongroom_api::vault::v1::key_service_server::{KeyService, KeyServiceServer};
use strongroom_api::vault::v1::pin_key_versions_response::Pinned;
use strongroom_api::vault::v1::seal_service_server::SealServiceServer;
use strongroom_api::vault::v1::token_service_server::{TokenService, TokenServiceServer};
use strongroom_crypto::{KeyRing, PublicKey, RootKey, Token};
use strongroom_runtime::status::status;
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tower::util::MapRequestLayer;

pub(crate) const ROOT_KEY_ID: &str = "00112233aabbccdd";
pub(crate) const KID: &str = "0123456789abcdef";
pub(crate) const DEPLOYMENT: &str = "deployment-1";
/// The version of the caller key `gateway`.
pub(crate) const GATEWAY_KID: &str = "00000000000000aa";

#[derive(Default)]
struct State {
    tokens: Mutex<Vec<(Token, Vec<String>)>>,
    /// Permissions by name in the certificate.
    permissions: Mutex<HashMap<String, Vec<String>>>,
    introspections: Mutex<usize>,
    events: Mutex<Vec<vault::AuditEvent>>,
    closings: Mutex<Vec<vault::CloseAuditOperationsRequest>>,
    /// The events whose next recording fails, and the codes.
    refusals: Mutex<Vec<(String, Code)>>,
    /// The values to be checked, message by message.
    checks: Mutex<Vec<Vec<vault::check_decryptable_request::Item>>>,
    /// Streams of checks that were ended correctly.
    finished_checks: Mutex<usize>,
    censuses: Mutex<Vec<vault::ReportKeyCensusRequest>>,
    /// The calls that changed pins, in order: the kind of change (`pin`, `assert` or `release`) and the archive's id.
    pins: Mutex<Vec<(&'static str, String)>>,
    /// The key versions pinned by archives.
    pinned: Mutex<HashMap<String, Vec<String>>>,
    /// Methods that get no answer.
    away: Mutex<Vec<&'static str>>,
    /// Signing keys of other vaults that this vault has learned.
    learned: Mutex<Vec<PublicKey>>,
    is_away: Mutex<bool>,
    /// Ends snapshots without their last message.
    is_hasty: Mutex<bool>,
    /// How long the start of a snapshot takes.
    slowness: Mutex<Duration>,
    snapshots: Mutex<usize>,
    /// Headers and messages of all requests.
    bytes: Mutex<Vec<u8>>,
    root: OnceLock<RootKey>,
    ring: OnceLock<KeyRing>,
}

/// Methods that the backup service never calls, as `tonic::async_trait` would write them.
macro_rules! not_here {
    ($($method:ident($request:ident) -> $answer:ty;)*) => {
        $(fn $method<'life0, 'async_trait>(
            &'life0 self,
            _: Request<vault::$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$answer>, Status>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented("not here")) })
        })*
    };
}

mod absence;
pub(crate) mod keys;

#[derive(Clone)]
pub(crate) struct FakeVault {
    pub(crate) url: String,
    state: Arc<State>,
    stop: CancellationToken,
}

impl FakeVault {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, state: Arc::default(), stop: CancellationToken::new() };
        let (_, health) = tonic_health::server::health_reporter();
        let state = Arc::clone(&fake.state);
        let server = Server::builder()
            .layer(absence::layer(Arc::clone(&fake.state)))
            .layer(MapRequestLayer::new(move |request| recorded(request, &state)))
            .add_service(health)
            .add_service(TokenServiceServer::new(fake.clone()))
            .add_service(AuditServiceServer::new(fake.clone()))
            .add_service(KeyServiceServer::new(fake.clone()))
            .add_service(CryptoServiceServer::new(fake.clone()))
            .add_service(SealServiceServer::new(fake.clone()))
            .add_service(SourceServiceServer::new(fake.clone()));
        let stop = fake.stop.clone();
        tokio::spawn(async move {
            let serving = server.serve_with_incoming(TcpIncoming::from(listener));
            let _ = stop.run_until_cancelled(serving).await;
        });
        fake
    }

    /// Replaces the archive's pinned key versions with `kids`.
    fn pinned(&self, step: &'static str, archive_id: String, kids: Vec<String>) {
        let mut pinned = self.state.pinned.lock().unwrap();
        match step {
            "release" => pinned.remove(&archive_id),
            _ => pinned.insert(archive_id.clone(), kids),
        };
        self.state.pins.lock().unwrap().push((step, archive_id));
    }

    /// The pinned key versions, by archive.
    pub(crate) fn pins(&self) -> HashMap<String, Vec<String>> {
        self.state.pinned.lock().unwrap().clone()
    }

    /// Forgets all pins, like a vault that is restored from an older state.
    pub(crate) fn forget_pins(&self) {
        self.state.pinned.lock().unwrap().clear();
    }

    /// Leaves methods with this text in their name unanswered until [`Self::answer_all`].
    pub(crate) fn be_away_for(&self, method: &'static str) {
        self.state.away.lock().unwrap().push(method);
    }

    pub(crate) fn answer_all(&self) {
        self.state.away.lock().unwrap().clear();
    }

    /// Learns the signing key of `other`.
    pub(crate) fn learn(&self, other: &Self) {
        self.state.learned.lock().unwrap().push(other.signer());
    }

    /// The calls that changed pins, in order: the kind of change and the archive's id.
    pub(crate) fn pin_steps(&self) -> Vec<(&'static str, String)> {
        self.state.pins.lock().unwrap().clone()
    }

    fn root(&self) -> &RootKey {
        self.state.root.get_or_init(RootKey::generate)
    }

    /// Gives `token` these permissions.
    pub(crate) fn admit(&self, token: &Token, permissions: &[&str]) {
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        let token = Token::parse(token.expose()).unwrap();
        self.state.tokens.lock().unwrap().push((token, permissions));
    }

    /// Gives the holder of a certificate with this name these permissions.
    pub(crate) fn admit_name(&self, name: &str, permissions: &[&str]) {
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        self.state.permissions.lock().unwrap().insert(name.to_owned(), permissions);
    }

    /// Makes the next recording of `event` fail.
    pub(crate) fn refuse(&self, event: &str, code: Code) {
        self.state.refusals.lock().unwrap().push((event.to_owned(), code));
    }

    /// The values that were to be checked so far, message by message.
    pub(crate) fn checks(&self) -> Vec<Vec<vault::check_decryptable_request::Item>> {
        self.state.checks.lock().unwrap().clone()
    }

    pub(crate) fn finished_checks(&self) -> usize {
        *self.state.finished_checks.lock().unwrap()
    }

    pub(crate) fn censuses(&self) -> Vec<vault::ReportKeyCensusRequest> {
        self.state.censuses.lock().unwrap().clone()
    }

    /// Answers no more checks of values.
    pub(crate) fn leave(&self) {
        *self.state.is_away.lock().unwrap() = true;
    }

    pub(crate) fn be_hasty(&self) {
        *self.state.is_hasty.lock().unwrap() = true;
    }

    /// Takes this long to begin a snapshot.
    pub(crate) fn be_slow(&self, by: Duration) {
        *self.state.slowness.lock().unwrap() = by;
    }

    /// Number of snapshots begun so far.
    pub(crate) fn snapshots(&self) -> usize {
        *self.state.snapshots.lock().unwrap()
    }

    pub(crate) fn introspections(&self) -> usize {
        *self.state.introspections.lock().unwrap()
    }

    /// Whether the headers or messages of any request so far contained these bytes.
    pub(crate) fn was_sent(&self, sought: &[u8]) -> bool {
        self.state.bytes.lock().unwrap().windows(sought.len()).any(|bytes| bytes == sought)
    }

    pub(crate) fn events(&self) -> Vec<vault::AuditEvent> {
        self.state.events.lock().unwrap().clone()
    }

    /// Waits until `event` is recorded.
    pub(crate) async fn wait_for(&self, event: &str) -> vault::AuditEvent {
        for _ in 0..200 {
            if let Some(found) = self.events().into_iter().find(|other| other.event == event) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {event} within 10 s: {:?}", self.events());
    }

    /// Waits for the first request to close operations.
    pub(crate) async fn first_closing(&self) -> vault::CloseAuditOperationsRequest {
        for _ in 0..200 {
            if let Some(found) = self.state.closings.lock().unwrap().first() {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing was closed within 10 s");
    }
}

/// Records the headers and the body of `request`.
fn recorded(request: http::Request<Body>, state: &Arc<State>) -> http::Request<Body> {
    let mut bytes = state.bytes.lock().unwrap();
    bytes.extend_from_slice(request.uri().to_string().as_bytes());
    for (name, value) in request.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    drop(bytes);
    let state = Arc::clone(state);
    request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                state.bytes.lock().unwrap().extend_from_slice(data);
            }
            frame
        }))
    })
}

#[tonic::async_trait]
impl TokenService for FakeVault {
    async fn introspect_token(
        &self,
        request: Request<vault::IntrospectTokenRequest>,
    ) -> Result<Response<vault::IntrospectTokenResponse>, Status> {
        assert!(request.metadata().contains_key("authorization"), "the service's own token");
        let hash = request.into_inner().introspect_hash;
        // With an empty hash, the service asks only whether it is itself admitted.
        if hash.is_empty() {
            return Ok(Response::new(vault::IntrospectTokenResponse::default()));
        }
        *self.state.introspections.lock().unwrap() += 1;
        let tokens = self.state.tokens.lock().unwrap();
        let answer = match tokens.iter().find(|(token, _)| token.introspect_hash()[..] == hash) {
            Some((token, permissions)) => vault::IntrospectTokenResponse {
                active: true,
                principal: format!("token:{}", token.id()),
                name: "a caller".into(),
                permissions: permissions.clone(),
                selectors: Vec::new(),
                delegation: format!("token:{}", token.id()).into(),
                ..Default::default()
            },
            None => vault::IntrospectTokenResponse::default(),
        };
        Ok(Response::new(answer))
    }

    /// A delegation is the delegating principal's name, and never expires.
    async fn check_delegation(
        &self,
        request: Request<vault::CheckDelegationRequest>,
    ) -> Result<Response<vault::CheckDelegationResponse>, Status> {
        let vault::CheckDelegationRequest { delegation, permission } = request.into_inner();
        let principal = String::from_utf8(delegation.to_vec()).unwrap();
        let tokens = self.state.tokens.lock().unwrap();
        let held = tokens.iter().find(|(token, _)| principal == format!("token:{}", token.id()));
        let permitted = held.is_some_and(|(_, permissions)| permissions.contains(&permission));
        let delegation = if permitted { delegation } else { bytes::Bytes::new() };
        Ok(Response::new(vault::CheckDelegationResponse { permitted, principal, delegation }))
    }

    async fn introspect_identity(
        &self,
        request: Request<vault::IntrospectIdentityRequest>,
    ) -> Result<Response<vault::IntrospectIdentityResponse>, Status> {
        *self.state.introspections.lock().unwrap() += 1;
        let names = request.into_inner().names;
        let permissions = self.state.permissions.lock().unwrap();
        let mut known = names.iter().filter_map(|name| Some((name, permissions.get(name)?)));
        let Some((name, permissions)) = known.next() else {
            return Ok(Response::new(vault::IntrospectIdentityResponse::default()));
        };
        if known.next().is_some() {
            return Err(status(
                Code::FailedPrecondition,
                "vault",
                "IDENTITY_AMBIGUOUS",
                "there are two",
                &[],
            ));
        }
        Ok(Response::new(vault::IntrospectIdentityResponse {
            active: true,
            principal: format!("identity:{name}"),
            name: name.clone(),
            permissions: permissions.clone(),
            selectors: Vec::new(),
            delegation: format!("identity:{name}").into(),
        }))
    }

    not_here! {
        issue_token(IssueTokenRequest) -> vault::IssueTokenResponse;
        list_tokens(ListTokensRequest) -> vault::ListTokensResponse;
        revoke_token(RevokeTokenRequest) -> vault::RevokeTokenResponse;
        renew_token(RenewTokenRequest) -> vault::RenewTokenResponse;
        reissue_token(ReissueTokenRequest) -> vault::ReissueTokenResponse;
    }
}

#[tonic::async_trait]
impl AuditService for FakeVault {
    async fn record_audit_event(
        &self,
        request: Request<vault::RecordAuditEventRequest>,
    ) -> Result<Response<vault::RecordAuditEventResponse>, Status> {
        let vault::RecordAuditEventRequest { event, delegation } = request.into_inner();
        let event = event.unwrap();
        let event = vault::AuditEvent {
            // A delegation is the delegating principal's name.
            actor: String::from_utf8(delegation.to_vec()).unwrap(),
            event: event.event,
            target: event.target,
            metadata: event.metadata,
            trace_id: event.trace_id,
            outcome: event.outcome,
            operation_id: event.operation_id,
            ..Default::default()
        };
        let mut refusals = self.state.refusals.lock().unwrap();
        if let Some(at) = refusals.iter().position(|(name, _)| *name == event.event) {
            return Err(Status::new(refusals.remove(at).1, "told to refuse"));
        }
        let mut events = self.state.events.lock().unwrap();
        events.push(event);
        Ok(Response::new(vault::RecordAuditEventResponse { sequence: events.len() as i64 }))
    }

    async fn close_audit_operations(
        &self,
        request: Request<vault::CloseAuditOperationsRequest>,
    ) -> Result<Response<vault::CloseAuditOperationsResponse>, Status> {
        self.state.closings.lock().unwrap().push(request.into_inner());
        Ok(Response::new(vault::CloseAuditOperationsResponse { closed: 0 }))
    }

    async fn get_audit_head(
        &self,
        _: Request<vault::GetAuditHeadRequest>,
    ) -> Result<Response<vault::GetAuditHeadResponse>, Status> {
        let sequence = self.events().len() as i64;
        Ok(Response::new(vault::GetAuditHeadResponse { sequence, ..Default::default() }))
    }

    type WatchAuditEventsStream = tokio_stream::Empty<Result<vault::WatchAuditEventsResponse, Status>>;

    not_here! {
        list_audit_events(ListAuditEventsRequest) -> vault::ListAuditEventsResponse;
        watch_audit_events(WatchAuditEventsRequest) -> Self::WatchAuditEventsStream;
        verify_audit_log(VerifyAuditLogRequest) -> vault::VerifyAuditLogResponse;
        prune_audit_log(PruneAuditLogRequest) -> vault::PruneAuditLogResponse;
    }
}

#[tonic::async_trait]
impl KeyService for FakeVault {
    async fn export_key_ring(
        &self,
        request: Request<vault::ExportKeyRingRequest>,
    ) -> Result<Response<vault::ExportKeyRingResponse>, Status> {
        let kids = request.into_inner().kids;
        let url = &self.url;
        let ring =
            format!("{{\"root_key_id\":\"{ROOT_KEY_ID}\",\"kids\":{kids:?},\"of\":\"{url}\"}}\n").into();
        Ok(Response::new(vault::ExportKeyRingResponse {
            root_key_id: ROOT_KEY_ID.into(),
            ring,
            kids,
            deployment_id: DEPLOYMENT.into(),
        }))
    }

    async fn inspect_ring(
        &self,
        request: Request<vault::InspectRingRequest>,
    ) -> Result<Response<vault::InspectRingResponse>, Status> {
        let ring = String::from_utf8_lossy(&request.get_ref().ring).into_owned();
        Ok(Response::new(vault::InspectRingResponse {
            root_key_id: ROOT_KEY_ID.into(),
            root_key_known: true,
            root_key_current: true,
            deployment_id: DEPLOYMENT.into(),
            same_deployment: ring.contains(&self.url),
            ..Default::default()
        }))
    }

    async fn pin_key_versions(
        &self,
        request: Request<vault::PinKeyVersionsRequest>,
    ) -> Result<Response<vault::PinKeyVersionsResponse>, Status> {
        let kids = vec![GATEWAY_KID.to_owned(), KID.to_owned()];
        self.pinned("pin", request.into_inner().archive_id, kids);
        let version = |kid: &str, key_id: &str| Pinned { kid: kid.into(), key_id: key_id.into() };
        let versions = vec![version(GATEWAY_KID, "gateway"), version(KID, "credential")];
        Ok(Response::new(vault::PinKeyVersionsResponse { versions }))
    }

    async fn release_key_pins(
        &self,
        request: Request<vault::ReleaseKeyPinsRequest>,
    ) -> Result<Response<vault::ReleaseKeyPinsResponse>, Status> {
        self.pinned("release", request.into_inner().archive_id, Vec::new());
        Ok(Response::new(vault::ReleaseKeyPinsResponse {}))
    }

    async fn narrow_key_pins(
        &self,
        request: Request<vault::NarrowKeyPinsRequest>,
    ) -> Result<Response<vault::NarrowKeyPinsResponse>, Status> {
        let vault::NarrowKeyPinsRequest { archive_id, kids, expire_time } = request.into_inner();
        assert!(expire_time.is_none(), "a stored backup has its pins until they are released");
        self.pinned("assert", archive_id, kids);
        Ok(Response::new(vault::NarrowKeyPinsResponse::default()))
    }

    async fn report_key_census(
        &self,
        request: Request<vault::ReportKeyCensusRequest>,
    ) -> Result<Response<vault::ReportKeyCensusResponse>, Status> {
        self.state.censuses.lock().unwrap().push(request.into_inner());
        Ok(Response::new(vault::ReportKeyCensusResponse {}))
    }

    type ReencryptStream = tokio_stream::Empty<Result<vault::ReencryptResponse, Status>>;

    not_here! {
        reencrypt(ReencryptRequest) -> Self::ReencryptStream;
        list_key_versions(ListKeyVersionsRequest) -> vault::ListKeyVersionsResponse;
        create_key(CreateKeyRequest) -> vault::CreateKeyResponse;
        rotate_key(RotateKeyRequest) -> vault::RotateKeyResponse;
        get_key_census(GetKeyCensusRequest) -> vault::GetKeyCensusResponse;
        disable_key_version(DisableKeyVersionRequest) -> vault::DisableKeyVersionResponse;
        enable_key_version(EnableKeyVersionRequest) -> vault::EnableKeyVersionResponse;
        destroy_key_version(DestroyKeyVersionRequest) -> vault::DestroyKeyVersionResponse;
        undo_destroy_key_version(UndoDestroyKeyVersionRequest) -> vault::UndoDestroyKeyVersionResponse;
        approve_key_request(ApproveKeyRequestRequest) -> vault::ApproveKeyRequestResponse;
        list_key_requests(ListKeyRequestsRequest) -> vault::ListKeyRequestsResponse;
        merge_key_ring(MergeKeyRingRequest) -> vault::MergeKeyRingResponse;
    }
}

/// The secrets are good values: `61` and `62` are the ids in hexadecimal.
const CREDENTIALS: &[&str] = &[
    r#"{"id":"a","secret":"srv1.0123456789abcdef.61"}"#,
    r#"{"id":"b","secret":"srv1.0123456789abcdef.62"}"#,
];
const AUDIT_LOGS: &[&str] = &[r#"{"id":"1","secret":null}"#];

fn table(name: &str, group: &str) -> source::Table {
    let column = |name: &str| format!(r#"{{"name":"{name}","type":"text","nullable":true}}"#);
    let columns = format!("[{},{}]", column("id"), column("secret"));
    let schema = format!(
        r#"{{"name":"{name}","source":"x","engine":"sqlite","table":"{name}","columns":{columns},"primary_key":["id"]}}"#
    );
    let secret =
        source::EncryptedColumn { name: "secret".into(), key_id: "credential".into(), aad: "{id}".into() };
    let sealed = if name == "credentials" { vec![secret] } else { Vec::new() };
    source::Table {
        name: name.into(),
        schema_json: schema.into_bytes().into(),
        group: group.into(),
        encrypted_columns: sealed,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl SourceService for FakeVault {
    type ReadSnapshotStream =
        Pin<Box<dyn Stream<Item = Result<source::ReadSnapshotResponse, Status>> + Send>>;

    async fn describe_source(
        &self,
        _: Request<source::DescribeSourceRequest>,
    ) -> Result<Response<source::DescribeSourceResponse>, Status> {
        let tables = vec![table("credentials", ""), table("audit_logs", "audit")];
        Ok(Response::new(source::DescribeSourceResponse { tables }))
    }

    async fn read_snapshot(
        &self,
        request: Request<source::ReadSnapshotRequest>,
    ) -> Result<Response<Self::ReadSnapshotStream>, Status> {
        *self.state.snapshots.lock().unwrap() += 1;
        let slowness = *self.state.slowness.lock().unwrap();
        tokio::time::sleep(slowness).await;
        let request = request.into_inner();
        if let Some(group) = request.groups.iter().find(|group| *group != "audit") {
            return Err(Status::invalid_argument(format!("there is no group {group}")));
        }
        let mut chosen = vec![("credentials", "", CREDENTIALS)];
        if !request.groups.is_empty() {
            chosen.push(("audit_logs", "audit", AUDIT_LOGS));
        }
        chosen.retain(|(name, ..)| {
            request.tables.is_empty() || request.tables.iter().any(|table| table == name)
        });
        let mut messages = vec![Message::Begun(Begun {
            tables: chosen.iter().map(|(name, group, _)| table(name, group)).collect(),
            engine: "SQLite 3".into(),
            snapshot: "read-transaction".into(),
            kids: vec![KID.into()],
        })];
        for (name, _, rows) in chosen {
            let (json, count) = (rows.join(",\n").into_bytes().into(), rows.len() as i64);
            messages.push(Message::Rows(Rows { json, count }));
            messages.push(Message::TableEnd(TableEnd { name: name.into(), rows: count }));
        }
        if !*self.state.is_hasty.lock().unwrap() {
            messages.push(Message::End(End {}));
        }
        let messages =
            messages.into_iter().map(|message| Ok(source::ReadSnapshotResponse { message: Some(message) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages.collect::<Vec<_>>()))))
    }

    async fn stage_tables(
        &self,
        _: Request<tonic::Streaming<source::StageTablesRequest>>,
    ) -> Result<Response<source::StageTablesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_stage(
        &self,
        _: Request<source::GetStageRequest>,
    ) -> Result<Response<source::GetStageResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn rollback_stage(
        &self,
        _: Request<source::RollbackStageRequest>,
    ) -> Result<Response<source::RollbackStageResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn commit_stage(
        &self,
        _: Request<source::CommitStageRequest>,
    ) -> Result<Response<source::CommitStageResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn abort_stage(
        &self,
        _: Request<source::AbortStageRequest>,
    ) -> Result<Response<source::AbortStageResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}
