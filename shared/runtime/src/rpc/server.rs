//! The outermost layer of a server: counts each call, and records it in a trace.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, Response};
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};
use tonic::Code;
use tonic::body::Body;
use tracing::{Instrument as _, Span};

use super::ending::at_end;
use crate::metrics::Rpc;
use crate::telemetry::{CALL, ROOT, begins_trace, read_context};

/// Puts the observer in front of a router.
#[derive(Clone)]
pub(crate) struct ObserveLayer {
    pub(crate) metrics: Rpc,
}

impl<S> tower::Layer<S> for ObserveLayer {
    type Service = ObserveService<S>;

    fn layer(&self, inner: S) -> ObserveService<S> {
        ObserveService { metrics: self.metrics.clone(), inner }
    }
}

/// The service made by [`ObserveLayer`].
#[derive(Clone)]
pub(crate) struct ObserveService<S> {
    metrics: Rpc,
    inner: S,
}

impl<S> tower::Service<Request<Body>> for ObserveService<S>
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
        let method = self.metrics.method(request.uri().path());
        let mut call = Call::begin(self.metrics.clone(), method);
        let context = read_context(request.headers());
        let attached = context.clone().attach();
        call.span = span(method, &context);
        let answer = self.inner.call(request).instrument(call.span.clone());
        drop(attached);
        Box::pin(async move { Ok(at_end(answer.await?, move |code| call.end(code))) }.with_context(context))
    }
}

/// The span of a call, in the trace that it comes with, or else in a new one by chance. Probes are not traced.
fn span(method: &'static str, context: &opentelemetry::Context) -> Span {
    if method.starts_with("grpc.health.") {
        return Span::none();
    }
    macro_rules! server_span {
        ($target:expr) => {
            tracing::info_span!(
                target: $target,
                "call",
                otel.name = method,
                otel.kind = "server",
                otel.status_code = tracing::field::Empty,
                rpc.system.name = "grpc",
                rpc.method = method,
                rpc.response.status_code = tracing::field::Empty,
                strongroom.principal = tracing::field::Empty,
            )
        };
    }
    if context.has_active_span() {
        server_span!(CALL)
    } else if begins_trace() {
        server_span!(ROOT)
    } else {
        Span::none()
    }
}

/// A call until its end. Its future is dropped when the client leaves before it is answered.
struct Call {
    metrics: Rpc,
    method: &'static str,
    began: Instant,
    span: Span,
    ended: bool,
}

impl Call {
    fn begin(metrics: Rpc, method: &'static str) -> Self {
        metrics.begin(method);
        Self { metrics, method, began: Instant::now(), span: Span::none(), ended: false }
    }

    fn end(mut self, code: Code) {
        self.record(code);
    }

    fn record(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.metrics.end(self.method, code, self.began.elapsed());
        self.span.record("rpc.response.status_code", code_name(code));
        if is_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.record(Code::Cancelled);
    }
}

/// Codes that are a server's own failure, not its caller's.
fn is_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

/// The name of a code, as gRPC writes it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
