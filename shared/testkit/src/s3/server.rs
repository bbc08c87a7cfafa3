//! The listener of an S3 service, and its faults.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use s3s::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::faults::{Effect, effect_on};
use super::{Recorded, Shared};
use crate::Certificate;

type Answer = Result<Response<Body>, io::Error>;

/// Serves until the task is aborted, which also ends the connections.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                // A client that does not trust our certificate disconnects.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, shared).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// TLS with this certificate.
pub(super) fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![chain], key).unwrap()))
}

/// A connection broken by a fault is not an error.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let recorded = Recorded {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
        time: Instant::now(),
    };
    let effect = effect_on(&shared, &recorded);
    shared.requests.lock().unwrap().push(recorded.clone());
    match effect {
        Some(Effect::Refuse(status, code)) => return refuse(request, status, code).await,
        Some(Effect::Wait(time)) => tokio::time::sleep(time).await,
        Some(Effect::Silence) => std::future::pending().await,
        _ => {}
    }
    let response = shared.service.call(request.map(Body::from)).await.map_err(io::Error::other)?;
    match effect {
        Some(Effect::LoseAnswer) => Err(io::Error::other("lost")),
        Some(Effect::Cut(bytes)) => Ok(response.map(|body| cut(body, bytes))),
        Some(Effect::IgnoreCondition) => Ok(response),
        _ if recorded.query.contains("uploadId=") => upload(response).await,
        _ => Ok(conditional(&recorded, response)),
    }
}

/// The request is read first: the client must receive the response, not a broken pipe.
async fn refuse(request: Request<Incoming>, status: u16, code: &str) -> Answer {
    let is_head = request.method() == Method::HEAD;
    let mut body = BodyDataStream::new(request.into_body());
    while body.next().await.is_some() {}
    let text = format!("<Error><Code>{code}</Code><Message>the secret of {code}</Message></Error>");
    let body = if is_head { Body::empty() } else { Body::from(text) };
    Ok(Response::builder().status(status).body(body).unwrap())
}

fn cut(body: Body, bytes: usize) -> Body {
    let pieces = BodyDataStream::new(body).scan(bytes, |left, piece| {
        let taken = piece.map_err(io::Error::other).and_then(|mut piece| {
            if *left == 0 {
                return Err(io::Error::other("cut"));
            }
            piece.truncate(*left);
            *left -= piece.len();
            Ok(Frame::data(piece))
        });
        std::future::ready(Some(taken))
    });
    Body::http_body_unsync(StreamBody::new(pieces))
}

/// `s3s-fs` treats an unknown upload as one of another user.
async fn upload(response: Response<Body>) -> Answer {
    if response.status() != StatusCode::FORBIDDEN {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = BodyExt::collect(body).await.map_err(io::Error::other)?.to_bytes();
    if String::from_utf8_lossy(&body).contains("<Code>AccessDenied</Code>") {
        let text = "<Error><Code>NoSuchUpload</Code></Error>".to_owned();
        return Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Body::from(text)).unwrap());
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// `s3s-fs` does not support `If-Match` for reads.
fn conditional(request: &Recorded, response: Response<Body>) -> Response<Body> {
    let found = response.headers().get(header::ETAG).map(|etag| etag.to_str().unwrap());
    match request.header("if-match") {
        Some(wanted) if request.method == Method::GET && found.is_some_and(|found| found != wanted) => {
            let text = "<Error><Code>PreconditionFailed</Code></Error>".to_owned();
            Response::builder().status(StatusCode::PRECONDITION_FAILED).body(Body::from(text)).unwrap()
        }
        _ => response,
    }
}
