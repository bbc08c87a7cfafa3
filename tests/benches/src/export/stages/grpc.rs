//! Sending: an archive's chunks through tonic and HTTP/2 over loopback, for several chunk and window sizes.
//!
//! Windows belong to the receiver, so the client sets them. Over a slow network they bound a download (window ÷ round
//! trip); this stage shows only their cost.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use strongroom_api::backup::v1::export_backup_response::Chunk;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::{Clock, Cost, ROUNDS};

const PATH: &str = "/bench.Chunks/Stream";
/// Bytes per run.
const BYTES: usize = 256 << 20;
/// Number of queued chunks, as in the product.
const QUEUE: usize = 4;
const SIZES: [usize; 3] = [64 << 10, 256 << 10, 1 << 20];
/// The client's settings.
const WINDOWS: [(&str, Setting); 6] = [
    ("hyper's own", |endpoint| endpoint),
    ("64 KiB", |endpoint| windows(endpoint, 64 << 10)),
    ("1 MiB", |endpoint| windows(endpoint, 1 << 20)),
    ("8 MiB (ours)", |endpoint| windows(endpoint, 8 << 20)),
    ("8 MiB, big frames", |endpoint| windows(endpoint, 8 << 20).max_frame_size(256 << 10)),
    ("adaptive", |endpoint| endpoint.http2_adaptive_window(true)),
];

type Setting = fn(Endpoint) -> Endpoint;
type Codec = ProstCodec<Chunk, Chunk>;
type Future<T, E> = std::pin::Pin<Box<dyn std::future::Future<Output = Result<T, E>> + Send>>;

/// Prints the cost for an archive of `whole` bytes.
pub(super) async fn measure(whole: u64) {
    for size in SIZES {
        let url = serve(size).await;
        for (name, set) in WINDOWS {
            let mut costs = Vec::new();
            for _ in 0..ROUNDS {
                costs.push(receive(set(Endpoint::from_shared(url.clone()).unwrap())).await);
            }
            let name = format!("gRPC, {} KiB chunks, window {name}", size >> 10);
            Cost::middle(costs).print(&name, BYTES as u64, whole);
        }
    }
}

/// The connection's window is twice the stream's.
fn windows(endpoint: Endpoint, bytes: u32) -> Endpoint {
    endpoint.initial_stream_window_size(bytes).initial_connection_window_size(bytes * 2)
}

async fn receive(endpoint: Endpoint) -> Cost {
    let channel = endpoint.tcp_nodelay(true).connect().await.unwrap();
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(usize::MAX);
    grpc.ready().await.unwrap();
    let clock = Clock::start();
    let path = PathAndQuery::from_static(PATH);
    let request = tonic::Request::new(Chunk::default());
    let mut stream = grpc.server_streaming(request, path, Codec::default()).await.unwrap().into_inner();
    let mut bytes = 0;
    while let Some(Chunk { data, .. }) = stream.message().await.unwrap() {
        bytes += data.len();
    }
    assert_eq!(bytes, BYTES);
    clock.stop()
}

/// Serves chunks of `size` bytes until the process ends, and returns the URL.
async fn serve(size: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let chunks = Chunks { size };
    tokio::spawn(Server::builder().tcp_nodelay(true).add_service(chunks).serve_with_incoming(incoming));
    url
}

#[derive(Clone)]
struct Chunks {
    size: usize,
}

impl NamedService for Chunks {
    const NAME: &'static str = "bench.Chunks";
}

impl ServerStreamingService<Chunk> for Chunks {
    type Response = Chunk;
    type ResponseStream = ReceiverStream<Result<Chunk, Status>>;
    type Future = Future<tonic::Response<Self::ResponseStream>, Status>;

    fn call(&mut self, _: tonic::Request<Chunk>) -> Self::Future {
        let (sender, received) = mpsc::channel(QUEUE);
        let size = self.size;
        tokio::task::spawn_blocking(move || make(size, &sender));
        Box::pin(async move { Ok(tonic::Response::new(ReceiverStream::new(received))) })
    }
}

/// Like the product's writer, allocates a new buffer for each chunk.
fn make(size: usize, chunks: &mpsc::Sender<Result<Chunk, Status>>) {
    let data = vec![7; size];
    for number in 0..BYTES / size {
        let (data, offset) = (Bytes::copy_from_slice(&data), (number * size) as i64);
        let chunk = Chunk { number: number as i64, offset, data };
        chunks.blocking_send(Ok(chunk)).map_err(|_| Status::new(Code::Aborted, "the client left")).unwrap();
    }
}

impl tower::Service<Request<Body>> for Chunks {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Future<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let chunks = self.clone();
        Box::pin(async move { Ok(Grpc::new(Codec::default()).server_streaming(chunks, request).await) })
    }
}
