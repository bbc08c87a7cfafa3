//! The bare echo: one unary method on tonic alone, with no layer, no token and no backend.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http::{Request, Response};
use strongroom_api::vault::v1::EncryptRequest;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_prost::ProstCodec;

const PATH: &str = "/bench.Echo/Echo";

type Codec = ProstCodec<EncryptRequest, EncryptRequest>;
type Future<T, E> = std::pin::Pin<Box<dyn std::future::Future<Output = Result<T, E>> + Send>>;

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl UnaryService<EncryptRequest> for Echo {
    type Response = EncryptRequest;
    type Future = Future<tonic::Response<EncryptRequest>, Status>;

    fn call(&mut self, request: tonic::Request<EncryptRequest>) -> Self::Future {
        Box::pin(async move { Ok(tonic::Response::new(request.into_inner())) })
    }
}

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Future<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Grpc::new(Codec::default()).unary(Echo, request).await) })
    }
}

/// Serves the echo until the process ends, and returns its URL.
pub(super) async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(Server::builder().tcp_nodelay(true).add_service(Echo).serve_with_incoming(incoming));
    url
}

/// A separate connection.
pub(super) fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().tcp_nodelay(true).connect_lazy()
}

/// One call.
pub(super) async fn call(channel: Channel, message: EncryptRequest) {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static(PATH);
    let request = tonic::Request::new(message);
    let _: tonic::Response<EncryptRequest> = grpc.unary(request, path, Codec::default()).await.unwrap();
}
