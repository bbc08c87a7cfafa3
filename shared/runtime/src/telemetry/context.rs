//! The trace of a call, in W3C headers (w3.org/TR/trace-context).

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::TextMapPropagator as _;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{FutureExt as _, SpanContext, TraceContextExt as _, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The trace that `headers` name.
pub(crate) fn read_context(headers: &HeaderMap) -> Option<Context> {
    if !headers.contains_key("traceparent") {
        return None;
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    context.has_active_span().then_some(context)
}

/// The trace in an environment variable, which has the form of the header `traceparent`.
pub(super) fn read_variable(name: &str) -> Context {
    let value = std::env::var(name).ok().and_then(|value| HeaderValue::try_from(value).ok());
    let headers = value.map(|value| (HeaderName::from_static("traceparent"), value));
    read_context(&HeaderMap::from_iter(headers)).unwrap_or_default()
}

/// The trace of `context`, which is not recorded from here on.
pub(crate) fn unrecorded(context: &Context) -> Context {
    let span = context.span();
    let id = span.span_context();
    let (trace, parent, state) = (id.trace_id(), id.span_id(), id.trace_state().clone());
    let unrecorded = SpanContext::new(trace, parent, TraceFlags::default(), true, state);
    Context::new().with_remote_span_context(unrecorded)
}

/// Puts the current trace, if there is one, into `headers`.
pub(crate) fn write_context(headers: &mut HeaderMap) {
    Context::map_current(|context| {
        if context.has_active_span() {
            TraceContextPropagator::new().inject_context(context, &mut HeadersMut(headers));
        }
    });
}

/// Whether the current trace is recorded.
pub(crate) fn is_recorded() -> bool {
    Context::map_current(|context| context.has_active_span() && context.span().span_context().is_sampled())
}

/// The current trace's id, 32 hexadecimal digits; empty outside of a trace.
#[must_use]
pub fn trace_id() -> String {
    Context::map_current(|context| {
        let span = context.span();
        let id = span.span_context();
        if id.is_valid() { id.trace_id().to_string() } else { String::new() }
    })
}

/// `future` in the current trace of the caller, for a separate task. It does not hold the caller's span, which ends
/// with the call.
pub fn inherited<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_current_context()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn read(header: &str) -> String {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static("traceparent"), header.parse().unwrap())]);
        let _attached = read_context(&headers).unwrap_or_default().attach();
        trace_id()
    }

    #[test]
    fn only_whole_trace_ids_are_taken() {
        assert_eq!(read(&format!("00-{ID}-00f067aa0ba902b7-01")), ID);
        assert_eq!(read(&format!("00-{ID}-00f067aa0ba902b7-00")), ID);
        for broken in [
            "".to_owned(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
            format!("00-{ID}-0000000000000000-01"),
            format!("ff-{ID}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
        ] {
            assert_eq!(read(&broken), "", "{broken}");
        }
    }

    #[test]
    fn a_trace_is_passed_on_and_nothing_is_made_up() {
        let mut headers = HeaderMap::new();
        write_context(&mut headers);
        assert!(headers.is_empty());
        let incoming = format!("00-{ID}-00f067aa0ba902b7-00");
        let given =
            HeaderMap::from_iter([(HeaderName::from_static("traceparent"), incoming.parse().unwrap())]);
        let _attached = read_context(&given).unwrap().attach();
        write_context(&mut headers);
        assert_eq!(headers["traceparent"], incoming);
    }
}
