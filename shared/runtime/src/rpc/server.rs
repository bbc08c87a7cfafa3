//! The outermost layer of a server: counts each call, and records it in a trace.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};
use tonic::Code;
use tonic::body::Body;
use tracing::{Instrument as _, Span};

use super::ending::at_end;
use crate::metrics::Rpc;
use crate::status::code_name;
use crate::telemetry::{TARGET, begins_trace, is_recorded, joins_trace, read_context, unrecorded};

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
        let mut call = Call::begin(self.metrics.clone(), method, deadline(request.headers()));
        let Some(context) = context(method, request.headers()) else {
            call.span = if !is_probe(method) && begins_trace() { span(method) } else { Span::none() };
            let answer = self.inner.call(request).instrument(call.span.clone());
            return Box::pin(async move { Ok(at_end(answer.await?, move |code| call.end(code))) });
        };
        let attached = context.clone().attach();
        call.span = if is_recorded() { span(method) } else { Span::none() };
        let answer = self.inner.call(request).instrument(call.span.clone());
        drop(attached);
        Box::pin(async move { Ok(at_end(answer.await?, move |code| call.end(code))) }.with_context(context))
    }
}

/// The trace that a call arrives with, which the call continues. The call is not recorded in it if it is a probe, or if
/// callers record more traces than this process joins.
fn context(method: &str, headers: &HeaderMap) -> Option<opentelemetry::Context> {
    let context = read_context(headers)?;
    if context.span().span_context().is_sampled() && (is_probe(method) || !joins_trace()) {
        return Some(unrecorded(&context));
    }
    Some(context)
}

/// Anybody can probe at any rate: probes are never recorded, and do not count towards the limit of recorded traces.
fn is_probe(method: &str) -> bool {
    method.starts_with("grpc.health.")
}

/// The span of a recorded call.
fn span(method: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = tracing::field::Empty,
        strongroom.principal = tracing::field::Empty,
    )
}

/// A call in progress. Its future is dropped if the client leaves before the answer.
struct Call {
    metrics: Rpc,
    method: &'static str,
    began: Instant,
    /// How long the client waits.
    deadline: Option<Duration>,
    span: Span,
    ended: bool,
}

impl Call {
    fn begin(metrics: Rpc, method: &'static str, deadline: Option<Duration>) -> Self {
        metrics.begin(method);
        Self { metrics, method, began: Instant::now(), deadline, span: Span::none(), ended: false }
    }

    /// Ends the call with the code that was sent, if any.
    fn end(mut self, code: Option<Code>) {
        match code {
            Some(code) => self.record(code),
            None => self.record_drop(),
        }
    }

    /// The transport drops a call both when its deadline has passed and when its client has left.
    fn record_drop(&mut self) {
        let late = self.deadline.is_some_and(|deadline| self.began.elapsed() >= deadline);
        self.record(if late { Code::DeadlineExceeded } else { Code::Cancelled });
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
        self.record_drop();
    }
}

/// The header `grpc-timeout`: at most eight digits and a unit (grpc.io, PROTOCOL-HTTP2).
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|number| *number < 100_000_000)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Codes that are the server's own failure, not the caller's.
fn is_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_clients_write_them() {
        let read = |value: &str| {
            deadline(&HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                value.parse().unwrap(),
            )]))
        };
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(read("30S"), Some(Duration::from_secs(30)));
        for broken in ["", "S", "100000000S", "5", "5x", "-1S", "1.5S", "5\u{b5}"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
