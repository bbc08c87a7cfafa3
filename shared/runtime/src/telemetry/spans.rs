//! The spans that a program creates itself. Those of calls and statements are created automatically.

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::context::{is_recorded, read_variable};
use super::sampling::{begins_trace, is_on};

/// Target of the spans of traces. They are created only in a recorded trace: asking the subscriber about each span
/// costs more than checking the current trace first.
pub(crate) const TARGET: &str = "strongroom::trace";

/// A stage of a call that takes time of its own, in the current trace.
#[must_use]
pub fn stage(name: &'static str) -> Span {
    if !is_recorded() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, "stage", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// [`stage`] for one of several subjects: a source, a table. Its name comes from a configuration or a database.
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

/// A stage of a call that continues in a separate task after the call has ended: the call's span does not wait for it.
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
    // Fails only for a span that has been entered; this one has not.
    let _ = span.set_parent(Context::current());
    span
}

/// Work that no call waits for: its own trace, sampled like those of calls.
#[must_use]
pub fn job(name: &'static str) -> Span {
    if !begins_trace() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, "job", otel.name = name, otel.status_code = tracing::field::Empty)
}

/// Marks the current span as failed. The answer and the log hold the reason.
pub fn failed() {
    Span::current().record("otel.status_code", "ERROR");
}

/// `main` of a command: it continues the trace in the environment's `TRACEPARENT`
/// (opentelemetry.io/docs/specs/otel/context/env-carriers), or begins one if there is a collector.
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
