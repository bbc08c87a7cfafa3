//! The spans that a program makes itself. Those of calls and statements are made for it.

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::context::{is_recorded, read_variable};
use super::sampling::{begins_trace, is_on};

/// Target of the spans of traces. They are made only where a trace is recorded: to be asked each time whether a span is
/// wanted costs more than to look at the current trace first.
pub(crate) const TARGET: &str = "strongroom::trace";

/// A part of a call that takes time of its own, in the current trace.
#[must_use]
pub fn stage(name: &'static str) -> Span {
    if !is_recorded() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, "stage", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// The same of one thing among several: a source, a table. Its name comes from a configuration or a database.
#[must_use]
pub fn stage_of(name: &'static str, subject: &str) -> Span {
    if !is_recorded() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET,
        "stage",
        otel.name = name,
        otel.status_code = tracing::field::Empty,
        strongroom.subject = subject,
    )
}

/// A part of a call that goes on in a task of its own when the call has ended: the call's span does not wait for it.
#[must_use]
pub fn task(name: &'static str) -> Span {
    if !is_recorded() {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
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
    tracing::info_span!(target: TARGET, "job", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// Marks the current span as failed. The reason is in the answer and in the log, not here.
pub fn failed() {
    Span::current().record("otel.status_code", "ERROR");
}

/// `main` of a command: it goes on with the trace of the environment's `TRACEPARENT`
/// (opentelemetry.io/docs/specs/otel/context/env-carriers), or begins one where there is a collector.
pub async fn command<F: Future>(name: &str, main: F) -> F::Output {
    let context = read_variable("TRACEPARENT");
    let span = if is_on() {
        let _attached = context.clone().attach();
        tracing::info_span!(target: TARGET, "command", otel.name = name, otel.status_code = tracing::field::Empty)
    } else {
        Span::none()
    };
    main.instrument(span).with_context(context).await
}
