//! A client channel that passes the trace on, and records each call in it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, TimeoutExpired};
use tracing::{Instrument as _, Span};

use super::ending::at_end;
use super::methods::method_of;
use crate::status::code_name;
use crate::telemetry::{TARGET, is_recorded, write_context};

/// `S` with a span for each call in a recorded trace.
#[derive(Debug, Clone)]
pub struct Traced<S>(S);

impl<S> Traced<S> {
    /// Wraps `channel`.
    pub fn new(channel: S) -> Self {
        Self(channel)
    }
}

impl<S> tower::Service<Request<Body>> for Traced<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Error + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let call = Call { span: span(request.uri().path()), ended: false };
        call.span.in_scope(|| write_context(request.headers_mut()));
        let answer = self.0.call(request).instrument(call.span.clone());
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(at_end(response, move |code| call.end(code))),
                Err(error) => {
                    call.end(Some(code_of(&error)));
                    Err(error)
                }
            }
        })
    }
}

/// The code for a transport error: `DeadlineExceeded` if the channel's own timeout caused it, otherwise `Unavailable`.
fn code_of(error: &(dyn Error + 'static)) -> Code {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    match causes.any(|cause| cause.is::<TimeoutExpired>()) {
        true => Code::DeadlineExceeded,
        false => Code::Unavailable,
    }
}

fn span(path: &str) -> Span {
    if !is_recorded() {
        return Span::none();
    }
    let method = method_of(path);
    tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = tracing::field::Empty,
    )
}

/// A call in progress.
struct Call {
    span: Span,
    ended: bool,
}

impl Call {
    /// Ends the call with the received code, if any.
    fn end(mut self, code: Option<Code>) {
        self.record(code);
    }

    fn record(&mut self, code: Option<Code>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.span.record("rpc.response.status_code", code_name(code.unwrap_or(Code::Cancelled)));
        // A client that stops reading an answer has enough of it: not an error.
        if !matches!(code, None | Some(Code::Ok)) {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.record(None);
    }
}
