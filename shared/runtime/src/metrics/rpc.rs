//! Calls by method: calls in progress, status codes and durations.
//!
//! Every call passes through here, so a method's children are created at its first call and found by its name, without
//! hashing label sets. Methods that were never called create no series.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use tonic::Code;

use super::Metrics;
use crate::rpc::{OTHER, methods};
use crate::status::code_name;

/// From a cached look-up to the longest export; finer where most calls are.
const BUCKETS: [f64; 15] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0];

/// Number of status codes: 0 to 16.
const CODES: usize = 17;

/// Counts the calls of one service. Clones share the counts.
#[derive(Clone)]
pub struct Rpc(Arc<Inner>);

struct Inner {
    families: Families,
    /// By method name.
    methods: HashMap<&'static str, Method>,
    other: Method,
}

struct Families {
    in_flight: IntGaugeVec,
    calls: IntCounterVec,
    seconds: HistogramVec,
}

#[derive(Default)]
struct Method {
    /// Created at the first call.
    children: OnceLock<Children>,
}

struct Children {
    in_flight: IntGauge,
    seconds: Histogram,
    calls: [OnceLock<IntCounter>; CODES],
}

impl Rpc {
    /// Counts the methods of `services` (full names), and those of health and reflection, which every service has.
    #[must_use]
    pub fn new(metrics: &Metrics, services: &[&str]) -> Self {
        let served = |name: &&str| {
            let service = name.split_once('/').map_or("", |(service, _)| service);
            service.starts_with("grpc.") || services.contains(&service)
        };
        let methods = methods().filter(served).map(|name| (name, Method::default())).collect();
        Self(Arc::new(Inner { families: Families::new(metrics), methods, other: Method::default() }))
    }

    /// The name under which a call of `path` (`/package.Service/Method`) is counted: `_OTHER` if the service has no
    /// such method.
    #[must_use]
    pub fn method(&self, path: &str) -> &'static str {
        let name = path.strip_prefix('/').unwrap_or(path);
        self.0.methods.get_key_value(name).map_or(OTHER, |(name, _)| *name)
    }

    /// Begins a call of `method`, a name that [`Self::method`] returned.
    pub fn begin(&self, method: &'static str) {
        self.0.find(method).1.in_flight.inc();
    }

    /// Ends a call with `code`, after `elapsed`, when the last byte of its answer has been sent.
    pub fn end(&self, method: &'static str, code: Code, elapsed: Duration) {
        let (method, children) = self.0.find(method);
        children.in_flight.dec();
        // A refusal takes no time, and would make a refusing server look fast.
        if code != Code::ResourceExhausted {
            children.seconds.observe(elapsed.as_secs_f64());
        }
        let number = (code as i32).unsigned_abs() as usize;
        let Some(calls) = children.calls.get(number) else { return };
        calls.get_or_init(|| self.0.families.calls.with_label_values(&[method, code_name(code)])).inc();
    }
}

impl Inner {
    /// The name under which `name` is counted, and its children.
    fn find(&self, name: &'static str) -> (&'static str, &Children) {
        let (name, method) = match self.methods.get(name) {
            Some(method) => (name, method),
            None => (OTHER, &self.other),
        };
        let children = method.children.get_or_init(|| Children {
            in_flight: self.families.in_flight.with_label_values(&[name]),
            seconds: self.families.seconds.with_label_values(&[name]),
            calls: std::array::from_fn(|_| OnceLock::new()),
        });
        (name, children)
    }
}

impl Families {
    fn new(metrics: &Metrics) -> Self {
        let help =
            "Time from a call's first byte to the last byte of its answer, for calls that were not refused.";
        let seconds = HistogramOpts::new("strongroom_rpc_duration_seconds", help).buckets(BUCKETS.to_vec());
        Self {
            in_flight: metrics.gauges("strongroom_rpc_in_flight", "Calls that are running.", &["method"]),
            calls: metrics.counters(
                "strongroom_rpc_calls_total",
                "Calls that have ended, by gRPC status code.",
                &["method", "code"],
            ),
            seconds: metrics.add(HistogramVec::new(seconds, &["method"])),
        }
    }
}
