//! Receiving requests: each has a deadline, and all share a byte budget.
//!
//! A message counts from the moment its length is announced, because its buffer is allocated then. The message of a
//! unary request counts until the answer has been read; that of a stream, until the handler has it. The deadline of a
//! stream covers its first message; later ones are up to its handler.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::answering::Answering;
use super::budget::{Budget, CALL, Charge};
use super::connections::Peer;
use super::framing::{Event, Framing};
use super::places::Place;
use crate::auth::Caller;
use crate::rpc::{Shape, shape_of};
use crate::status::status;

/// Bytes of a stream that can wait in the transport for a busy handler. The receiver's window limits the sender:
/// 512 KiB at 10 ms is 50 MB/s. A stream is charged as much in either direction: hyper buffers 400 KiB of answers.
pub(super) const STREAM_WINDOW: u32 = 512 << 10;

/// Beginnings of tonic's own refusals of oversized messages, before and during inflation.
const OVERSIZED: [&str; 2] = ["Error, decoded message length too large", "Error decompressing: size limit"];

/// Maximum bytes of a request's metadata, counted as HTTP/2 counts them (RFC 9113 §6.5.2). The transport answers a
/// request with more than twice as much with HTTP status 431, before any of our code sees it.
pub(super) const METADATA: u32 = 16 << 10;

/// Puts limits in front of a router; the caller is already known.
#[derive(Clone)]
pub(super) struct ReceiveLayer {
    pub(super) budget: Arc<Budget>,
    pub(super) patience: Patience,
    /// Cancelled when streams must end.
    pub(super) end: CancellationToken,
}

/// Time limits for receiving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without any byte received.
    pub(super) idle: Duration,
    /// In total.
    pub(super) total: Duration,
    /// Domain of the errors.
    pub(super) domain: &'static str,
}

impl<S> tower::Layer<S> for ReceiveLayer {
    type Service = ReceiveService<S>;

    fn layer(&self, inner: S) -> ReceiveService<S> {
        ReceiveService { layer: self.clone(), inner }
    }
}

/// The service made by [`ReceiveLayer`].
#[derive(Clone)]
pub(super) struct ReceiveService<S> {
    layer: ReceiveLayer,
    inner: S,
}

impl<S> tower::Service<Request<Body>> for ReceiveService<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shape = shape_of(request.uri().path());
        if size_of(request.headers()) > METADATA as usize {
            let refusal = metadata_too_large(self.layer.patience.domain);
            return Box::pin(async move { Ok(refusal.into_http()) });
        }
        let charge = match self.layer.begin(&request, shape) {
            Ok(charge) => charge,
            Err(refusal) => return Box::pin(async move { Ok(refusal.into_http()) }),
        };
        let (patience, held, end) = (self.layer.patience, Arc::clone(&charge), self.layer.end.clone());
        let request = request.map(|body| Body::new(Receiving::new(body, shape, patience, charge)));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = with_reason(answer.await?, patience.domain);
            let answering = |body| Answering::new(body, shape, held, patience.domain, &end);
            Ok(response.map(|body| Body::new(answering(body))))
        })
    }
}

fn size_of(headers: &HeaderMap) -> usize {
    /// Bytes that each field counts besides its name and its value.
    const OVERHEAD: usize = 32;
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD).sum()
}

fn metadata_too_large(domain: &'static str) -> Status {
    let message = format!(
        "the metadata of the request is larger than the limit of {METADATA} bytes; send fewer or shorter fields"
    );
    status(Code::ResourceExhausted, domain, "METADATA_TOO_LARGE", &message, &[])
}

/// Adds a reason to tonic's refusal of an oversized message, which has none.
fn with_reason(response: Response<Body>, domain: &'static str) -> Response<Body> {
    let refused = Status::from_header_map(response.headers()).filter(|status| {
        status.details().is_empty() && OVERSIZED.iter().any(|text| status.message().starts_with(text))
    });
    let Some(refused) = refused else { return response };
    let limit = refused.message().split(' ').filter_map(|word| word.parse::<usize>().ok()).next_back();
    let limit = limit.map(|bytes| format!(" of {bytes} bytes")).unwrap_or_default();
    let message = format!("the request is larger than its service's limit{limit}; send less in one call");
    status(Code::ResourceExhausted, domain, "REQUEST_TOO_LARGE", &message, &[]).into_http()
}

impl ReceiveLayer {
    fn begin(&self, request: &Request<Body>, shape: Shape) -> Result<Arc<Charge>, Status> {
        let extensions = request.extensions();
        let Some(caller) = extensions.get::<Caller>() else {
            return self.budget.begin_anonymous(extensions.get::<Peer>());
        };
        let streams = usize::from(shape.client_streams) + usize::from(shape.server_streams);
        let place = extensions.get::<Arc<Place>>().cloned();
        self.budget.begin(&caller.principal.id, CALL + streams * STREAM_WINDOW as usize, place)
    }
}

/// A request's body while it is received.
struct Receiving {
    body: Body,
    streaming: bool,
    framing: Framing,
    charge: Arc<Charge>,
    patience: Patience,
    /// Created when there is something to wait for: most requests arrive whole.
    clock: Option<Clock>,
    /// Whether the deadline no longer applies.
    complete: bool,
}

impl Receiving {
    fn new(body: Body, shape: Shape, patience: Patience, charge: Arc<Charge>) -> Self {
        Self {
            body,
            streaming: shape.client_streams,
            framing: Framing::default(),
            charge,
            patience,
            clock: None,
            complete: false,
        }
    }

    fn count(&mut self, data: &[u8]) -> Result<(), Status> {
        if let Some(clock) = self.clock.as_mut().filter(|_| !data.is_empty()) {
            clock.heard = Instant::now();
        }
        let (charge, streaming, complete) = (&self.charge, self.streaming, &mut self.complete);
        self.framing.read(data, |event| match event {
            Event::Begin(length) => charge.begin_message(length),
            Event::End(length) if streaming => {
                charge.end_message(length);
                *complete = true;
                Ok(())
            }
            Event::End(_) => Ok(()),
        })
    }

    /// Ready with a refusal if the sender is too slow.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if self.complete {
            self.clock = None;
            return Poll::Pending;
        }
        let idle = self.patience.idle;
        self.clock.get_or_insert_with(|| Clock::start(idle)).poll_end(self.patience, context)
    }
}

/// Times of a request that had to be waited for.
struct Clock {
    sleep: Pin<Box<Sleep>>,
    began: Instant,
    heard: Instant,
}

impl Clock {
    fn start(idle: Duration) -> Self {
        let now = Instant::now();
        Self { sleep: Box::pin(sleep(idle)), began: now, heard: now }
    }

    /// The timer is not reset for each piece that arrives; the times are checked when it fires.
    fn poll_end(&mut self, patience: Patience, context: &mut Context<'_>) -> Poll<Status> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let (idle, total) = (self.heard + patience.idle, self.began + patience.total);
            let now = Instant::now();
            if now >= total {
                return Poll::Ready(patience.refusal("after", patience.total));
            }
            if now >= idle {
                return Poll::Ready(patience.refusal("and nothing more arrived for", patience.idle));
            }
            self.sleep.as_mut().reset(idle.min(total));
        }
    }
}

impl Patience {
    fn refusal(&self, when: &str, time: Duration) -> Status {
        let seconds = time.as_secs_f32();
        let message = format!(
            "the request was not complete {when} {seconds} s; send it again over a faster connection"
        );
        status(Code::DeadlineExceeded, self.domain, "REQUEST_TOO_SLOW", &message, &[])
    }
}

impl http_body::Body for Receiving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let counted = frame.data_ref().map_or(Ok(()), |data| self.count(data));
                Poll::Ready(Some(counted.map(|()| frame)))
            }
            Poll::Pending => self.poll_deadline(context).map(|refusal| Some(Err(refusal))),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
