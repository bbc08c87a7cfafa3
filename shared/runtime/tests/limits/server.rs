//! A test server, and two kinds of clients: one that behaves, and one that can send anything.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_api::source::v1::source_service_server::{SourceService, SourceServiceServer};
use strongroom_api::source::v1::{
    AbortStageRequest, AbortStageResponse, CommitStageRequest, CommitStageResponse, DescribeSourceRequest,
    DescribeSourceResponse, GetStageRequest, GetStageResponse, ReadSnapshotRequest, ReadSnapshotResponse,
    RollbackStageRequest, RollbackStageResponse, Stage, StageTablesRequest, StageTablesResponse, Table,
};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::server::{Limits, Serve, ServerTls, TlsConfig, serve};
use strongroom_runtime::{
    Authenticator, Caller, Delegation, Health, Metrics, Principal, Selectors, Shutdown, SystemClock,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Response, Status, Streaming, async_trait};
use zeroize::Zeroizing;

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: Shutdown,
    /// Lets calls of `CommitStage` with the stage `wait` end.
    pub(crate) gate: Arc<Semaphore>,
    /// Length of the answers of `DescribeSource`.
    pub(crate) answer: Arc<AtomicUsize>,
    pub(crate) tls: Option<Arc<ServerTls>>,
}

/// Limits short enough for a test to wait for.
pub(crate) fn limits() -> Limits {
    Limits {
        connections: 8,
        greeting: Duration::from_millis(400),
        first_call: Duration::from_millis(1500),
        connection_age: Duration::from_secs(60),
        streams: 64,
        receive_idle: Duration::from_millis(500),
        receive_total: Duration::from_secs(2),
        principal_bytes: 1 << 20,
        process_bytes: 2 << 20,
        calls: 512,
        streamed: 128,
    }
}

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, None).await
    }

    pub(crate) async fn start_with(limits: Limits, tls: Option<TlsConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, gate) = (Shutdown::new(), Arc::new(Semaphore::new(0)));
        let answer = Arc::new(AtomicUsize::new(0));
        let source = Source { gate: Arc::clone(&gate), answer: Arc::clone(&answer) };
        let service = SourceServiceServer::new(source).accept_compressed(CompressionEncoding::Gzip);
        let routes = Routes::new(service);
        let tls = tls.map(|tls| ServerTls::load(tls).unwrap());
        let loaded = tls.clone();
        let (services, authenticator) = (&["strongroom.source.v1.SourceService"], Arc::new(Everybody));
        let (health, metrics) = (Health::new("test", &[], Arc::new(SystemClock)), Metrics::new());
        let plaintext = false;
        let serving =
            Serve { listener, routes, services, authenticator, tls, plaintext, limits, health, metrics };
        let ended = serve(serving, shutdown.clone());
        tokio::spawn(async move { ended.await.unwrap() });
        Self { address, shutdown, gate, answer, tls: loaded }
    }

    /// A well-behaved client with its own connection.
    pub(crate) fn client(&self, token: &str) -> SourceServiceClient<AuthorizedChannel> {
        let target = Target { url: format!("http://{}", self.address), ..Target::default() };
        let channel = target.authorized(Bearer::new(token).unwrap()).unwrap();
        SourceServiceClient::new(channel)
    }

    /// Asserts that a client is served within a second.
    pub(crate) async fn assert_serves(&self, token: &str) {
        assert_serves(&mut self.client(token)).await;
    }

    pub(crate) async fn raw(&self, token: &str) -> Raw {
        self.raw_with_window(token, 65_535).await
    }

    /// A client that reads `window` bytes of each answer.
    pub(crate) async fn raw_with_window(&self, token: &str, window: u32) -> Raw {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        let (sender, connection) = builder.initial_window_size(window).handshake(stream).await.unwrap();
        let ended = tokio::spawn(async move { connection.await.is_ok() });
        Raw { sender, token: token.to_owned(), ended }
    }
}

pub(crate) async fn assert_serves(client: &mut SourceServiceClient<AuthorizedChannel>) {
    let call = client.describe_source(DescribeSourceRequest {});
    tokio::time::timeout(Duration::from_secs(1), call).await.expect("nobody is served").unwrap();
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// A connection on which anything can be sent.
pub(crate) struct Raw {
    sender: h2::client::SendRequest<Bytes>,
    token: String,
    /// True if it ended in order.
    pub(crate) ended: tokio::task::JoinHandle<bool>,
}

/// A call whose request need not end.
pub(crate) struct RawCall {
    response: h2::client::ResponseFuture,
    body: h2::SendStream<Bytes>,
}

impl Raw {
    pub(crate) async fn call(&mut self, path: &str) -> RawCall {
        let mut sender = self.sender.clone().ready().await.unwrap();
        let mut request = Request::post(format!("http://localhost{path}"))
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let (response, body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        self.sender = sender;
        RawCall { response, body }
    }

    /// A call that announces `length` bytes and sends `sent` of them.
    pub(crate) async fn begin(&mut self, path: &str, length: usize, sent: usize) -> RawCall {
        let mut call = self.call(path).await;
        call.send(&header(length), false).await;
        call.send(&vec![0; sent], false).await;
        call
    }
}

impl RawCall {
    /// Sends as the flow-control windows allow.
    pub(crate) async fn send(&mut self, mut data: &[u8], end: bool) {
        while !data.is_empty() {
            self.body.reserve_capacity(data.len());
            let granted = std::future::poll_fn(|context| self.body.poll_capacity(context)).await;
            // Refused already: the answer gives the reason.
            let Some(Ok(granted)) = granted else { return };
            let (now, later) = data.split_at(granted.min(data.len()));
            let last = end && later.is_empty();
            if self.body.send_data(Bytes::copy_from_slice(now), last).is_err() {
                return;
            }
            data = later;
        }
    }

    /// The status, and how long it took; at most 5 s.
    pub(crate) async fn status(self) -> Answer {
        let Self { response, body: _body } = self;
        answer(response).await
    }

    /// [`Self::status`] while a byte is sent repeatedly.
    pub(crate) async fn crawl(self, pause: Duration) -> Answer {
        let Self { response, mut body } = self;
        let crawling = tokio::spawn(async move {
            while body.send_data(Bytes::from_static(&[0]), false).is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let answer = answer(response).await;
        crawling.abort();
        answer
    }

    /// Whether no answer has arrived after `time`.
    pub(crate) async fn is_open_after(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, &mut self.response).await.is_err()
    }
}

/// A status, and how long it took.
pub(crate) type Answer = (tonic::Code, String, Duration);

async fn answer(response: h2::client::ResponseFuture) -> Answer {
    let began = std::time::Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(5), response).await;
    let response = answer.expect("the call is held").unwrap();
    let (headers, mut body) = (response.headers().clone(), response.into_body());
    let status = match Status::from_header_map(&headers) {
        Some(status) => status,
        None => {
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data.unwrap().len()).unwrap();
            }
            Status::from_header_map(&body.trailers().await.unwrap().unwrap()).unwrap()
        }
    };
    (status.code(), status.message().to_owned(), began.elapsed())
}

/// A message of `length` bytes that every decoder skips: one unknown field.
pub(crate) fn unknown_field(length: usize) -> Vec<u8> {
    let rest = length - 4;
    let varint =
        [rest & 0x7f | 0x80, rest >> 7 & 0x7f | 0x80, rest >> 14].map(|byte| u8::try_from(byte).unwrap());
    let mut message = vec![15 << 3 | 2];
    message.extend(varint);
    message.resize(length, 0);
    message
}

/// The header of a message of `length` bytes.
pub(crate) fn header(length: usize) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(length).unwrap().to_be_bytes();
    [0, a, b, c, d]
}

pub(crate) const DESCRIBE: &str = "/strongroom.source.v1.SourceService/DescribeSource";
pub(crate) const READ: &str = "/strongroom.source.v1.SourceService/ReadSnapshot";
pub(crate) const COMMIT: &str = "/strongroom.source.v1.SourceService/CommitStage";
pub(crate) const STAGE: &str = "/strongroom.source.v1.SourceService/StageTables";
pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Accepts any token, for a principal of that name.
pub(crate) struct Everybody;

static ALL: LazyLock<Arc<std::collections::BTreeSet<String>>> = LazyLock::new(|| {
    Arc::new(strongroom_api::PERMISSIONS.iter().map(|(_, permission)| (*permission).to_owned()).collect())
});

fn everybody(name: &str) -> Principal {
    Principal {
        id: format!("token:{name}"),
        name: name.to_owned(),
        permissions: Arc::clone(&ALL),
        selectors: Arc::new(Selectors::default()),
        delegation: Delegation::default(),
        token_hash: Vec::new(),
    }
}

#[async_trait]
impl Authenticator for Everybody {
    fn domain(&self) -> &'static str {
        "test.strongroom"
    }

    async fn authenticate(&self, token: Zeroizing<String>) -> Result<Option<Principal>, Status> {
        Ok((*token != "stranger").then(|| everybody(&token)))
    }

    /// No principal has the name of a server.
    async fn identity(&self, names: &[String]) -> Result<Option<Principal>, Status> {
        let known = names.iter().find(|name| *name != "dns:localhost");
        Ok(known.map(|name| Principal { id: format!("identity:{name}"), ..everybody(name) }))
    }

    async fn denied(&self, _: &Caller, _: &str, _: &str) {}
}

struct Source {
    gate: Arc<Semaphore>,
    answer: Arc<AtomicUsize>,
}

#[async_trait]
impl SourceService for Source {
    type ReadSnapshotStream = tokio_stream::Pending<Result<ReadSnapshotResponse, Status>>;

    async fn describe_source(
        &self,
        request: tonic::Request<DescribeSourceRequest>,
    ) -> Result<Response<DescribeSourceResponse>, Status> {
        let name = "x".repeat(self.answer.load(Ordering::Relaxed));
        let group = Caller::of(&request)?.principal.id;
        let tables = vec![Table { name, group, ..Table::default() }];
        Ok(Response::new(DescribeSourceResponse { tables }))
    }

    async fn read_snapshot(
        &self,
        _: tonic::Request<ReadSnapshotRequest>,
    ) -> Result<Response<Self::ReadSnapshotStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }

    /// Counts messages.
    async fn stage_tables(
        &self,
        request: tonic::Request<Streaming<StageTablesRequest>>,
    ) -> Result<Response<StageTablesResponse>, Status> {
        let mut stream = request.into_inner();
        let mut kept_total = 0;
        while stream.message().await?.is_some() {
            kept_total += 1;
        }
        Ok(Response::new(StageTablesResponse { stage: Some(Stage { kept_total, ..Stage::default() }) }))
    }

    async fn commit_stage(
        &self,
        request: tonic::Request<CommitStageRequest>,
    ) -> Result<Response<CommitStageResponse>, Status> {
        if request.get_ref().stage_id.starts_with("wait") {
            self.gate.acquire().await.unwrap().forget();
        }
        Ok(Response::new(CommitStageResponse::default()))
    }

    async fn get_stage(
        &self,
        _: tonic::Request<GetStageRequest>,
    ) -> Result<Response<GetStageResponse>, Status> {
        Ok(Response::new(GetStageResponse::default()))
    }

    async fn rollback_stage(
        &self,
        _: tonic::Request<RollbackStageRequest>,
    ) -> Result<Response<RollbackStageResponse>, Status> {
        Ok(Response::new(RollbackStageResponse::default()))
    }

    async fn abort_stage(
        &self,
        _: tonic::Request<AbortStageRequest>,
    ) -> Result<Response<AbortStageResponse>, Status> {
        Ok(Response::new(AbortStageResponse {}))
    }
}
