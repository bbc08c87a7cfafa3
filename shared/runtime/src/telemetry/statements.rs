//! Spans of database statements, created from the event that sqlx emits for each.
//!
//! So every statement of every store and source is in a trace, without any code in the stores. The span has the
//! statement's first four words, as sqlx cuts them. They can contain names and numbers of objects, but no values of
//! rows.

use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind, Tracer};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, Filter, Layer};

use super::context::is_recorded;
use crate::clock::{Clock as _, SystemClock};

/// The target of sqlx's events.
const TARGET: &str = "sqlx::query";

/// Creates spans with a tracer.
pub(super) struct Statements<T>(T);

impl<T> Statements<T> {
    pub(super) fn new(tracer: T) -> Self {
        Self(tracer)
    }
}

/// Events of sqlx in recorded traces. sqlx checks this before it emits one.
pub(super) fn filter() -> impl Filter<Registry> {
    let of_a_trace =
        |metadata: &Metadata<'_>, _: &Context<'_, Registry>| metadata.target() == TARGET && is_recorded();
    dynamic_filter_fn(of_a_trace)
        .with_callsite_filter(|metadata| match metadata.target() {
            TARGET => Interest::sometimes(),
            _ => Interest::never(),
        })
        .with_max_level_hint(LevelFilter::DEBUG)
}

impl<S: Subscriber, T: Tracer + 'static> Layer<S> for Statements<T> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let ended = SystemTime::UNIX_EPOCH + Duration::from_micros(SystemClock.now_micros().unsigned_abs());
        let began = ended.checked_sub(Duration::from_secs_f64(statement.seconds.clamp(0.0, 1e6)));
        let mut builder = SpanBuilder::from_name(statement.summary).with_kind(SpanKind::Client);
        builder = builder.with_start_time(began.unwrap_or(ended)).with_attributes(vec![
            KeyValue::new("db.response.returned_rows", statement.returned),
            KeyValue::new("strongroom.rows_affected", statement.affected),
        ]);
        // Its parent is the current span; dropping it ends it.
        drop(self.0.build(builder));
    }
}

/// The fields taken from an event.
#[derive(Default)]
struct Statement {
    summary: String,
    seconds: f64,
    returned: i64,
    affected: i64,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            value.clone_into(&mut self.summary);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        match field.name() {
            "rows_returned" => self.returned = value,
            "rows_affected" => self.affected = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
