//! The spans that a program makes itself. Those of calls and statements are made for it.

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::context::read_variable;
use super::sampling::begins_trace;

/// Target of spans inside of a trace.
pub(crate) const CALL: &str = "strongroom::call";
/// Target of spans that begin a trace which is recorded.
pub(crate) const ROOT: &str = "strongroom::root";

/// A part of a call that takes time of its own, in the current trace.
#[must_use]
pub fn stage(name: &'static str) -> Span {
    tracing::info_span!(target: CALL, "stage", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// The same of one thing among several: a source, a table. Its name comes from a configuration or a database.
#[must_use]
pub fn stage_of(name: &'static str, subject: &str) -> Span {
    tracing::info_span!(
        target: CALL,
        "stage",
        otel.name = name,
        otel.status_code = tracing::field::Empty,
        strongroom.subject = subject,
    )
}

/// A part of a call that goes on in a task of its own when the call has ended: the call's span does not wait for it.
#[must_use]
pub fn task(name: &'static str) -> Span {
    let span = tracing::info_span!(
        target: CALL,
        parent: None,
        "task",
        otel.name = name,
        otel.status_code = tracing::field::Empty,
    );
    // Fails for a span that was entered, which this one was not.
    let _ = span.set_parent(Context::current());
    span
}

/// A piece of work that no call waits for: a trace of its own, by chance as for calls.
#[must_use]
pub fn job(name: &'static str) -> Span {
    if !begins_trace() {
        return Span::none();
    }
    tracing::info_span!(target: ROOT, "job", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// Marks the current span as failed. The reason is in the answer and in the log, not here.
pub fn failed() {
    Span::current().record("otel.status_code", "ERROR");
}

/// `main` of a command: it goes on with the trace of the environment's `TRACEPARENT`
/// (opentelemetry.io/docs/specs/otel/context/env-carriers), or begins one where there is a collector.
pub async fn command<F: Future>(name: &str, main: F) -> F::Output {
    let context = read_variable("TRACEPARENT");
    let span = {
        let _attached = context.clone().attach();
        tracing::info_span!(target: ROOT, "command", otel.name = name, otel.status_code = tracing::field::Empty)
    };
    main.instrument(span).with_context(context).await
}
