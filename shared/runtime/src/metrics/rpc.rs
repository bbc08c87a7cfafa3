//! Calls by method: how many run, how they ended, how long they took.
//!
//! This is on the way of every call, so a method's children are resolved at its first call and found by the address of
//! its name afterwards: no label is hashed. Methods that were never called make no series.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use tonic::Code;

use super::Metrics;
use crate::rpc::{OTHER, code_name};

/// From a cached look-up to the longest export; closer where calls are.
const BUCKETS: [f64; 15] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0];

/// Status codes: 0 to 16.
const CODES: usize = 17;

/// Methods that every service has and that are in no proto of ours.
const COMMON: [&str; 4] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Counts the calls of one service. Clones count together.
#[derive(Clone)]
pub struct Rpc(Arc<Inner>);

struct Inner {
    families: Families,
    /// The first one is [`OTHER`].
    methods: Vec<Method>,
    /// Addresses of names, sorted, each with its method's place.
    places: Vec<(usize, usize)>,
}

struct Families {
    in_flight: IntGaugeVec,
    calls: IntCounterVec,
    seconds: HistogramVec,
}

struct Method {
    name: &'static str,
    /// Made at the first call.
    children: OnceLock<Children>,
}

struct Children {
    in_flight: IntGauge,
    seconds: Histogram,
    calls: [OnceLock<IntCounter>; CODES],
}

impl Rpc {
    /// For the methods of `services` (full names), and those that every service has.
    #[must_use]
    pub fn new(metrics: &Metrics, services: &[&str]) -> Self {
        let served = |path: &&'static str| {
            let service = path.split_once('/').map_or("", |(service, _)| service);
            services.contains(&service)
        };
        let ours = strongroom_api::PERMISSIONS.iter().map(|(path, _)| &path[1..]).filter(served);
        let names = [OTHER].into_iter().chain(COMMON).chain(ours);
        let methods: Vec<Method> = names.map(|name| Method { name, children: OnceLock::new() }).collect();
        let mut places: Vec<(usize, usize)> =
            methods.iter().enumerate().map(|(place, method)| (method.name.as_ptr().addr(), place)).collect();
        places.sort_unstable();
        Self(Arc::new(Inner { families: Families::new(metrics), methods, places }))
    }

    /// The name under which the call of `path` (`/package.Service/Method`) is counted: [`OTHER`] where the service has no
    /// such method. To be asked once a call, or once a route.
    #[must_use]
    pub fn method(&self, path: &str) -> &'static str {
        let name = path.strip_prefix('/').unwrap_or(path);
        self.0.methods.iter().map(|method| method.name).find(|known| *known == name).unwrap_or(OTHER)
    }

    /// A call of `method` begins: `package.Service/Method` of a known method, or [`OTHER`].
    pub fn begin(&self, method: &'static str) {
        self.children(method).in_flight.inc();
    }

    /// It has ended with `code`, after `elapsed`, with the last byte of its answer.
    pub fn end(&self, method: &'static str, code: Code, elapsed: Duration) {
        let method = self.place(method);
        let children = self.0.children(method);
        children.in_flight.dec();
        // A refusal takes no time, and would make a server that refuses look fast.
        if code != Code::ResourceExhausted {
            children.seconds.observe(elapsed.as_secs_f64());
        }
        let number = (code as i32).unsigned_abs() as usize;
        let Some(calls) = children.calls.get(number) else { return };
        let counter =
            || self.0.families.calls.with_label_values(&[self.0.methods[method].name, code_name(code)]);
        calls.get_or_init(counter).inc();
    }

    fn children(&self, method: &'static str) -> &Children {
        self.0.children(self.place(method))
    }

    /// By address; by its text where somebody has a copy of the name elsewhere.
    fn place(&self, method: &'static str) -> usize {
        let address = method.as_ptr().addr();
        if let Ok(found) = self.0.places.binary_search_by_key(&address, |(address, _)| *address) {
            let place = self.0.places[found].1;
            if self.0.methods[place].name.len() == method.len() {
                return place;
            }
        }
        self.0.methods.iter().position(|known| known.name == method).unwrap_or(0)
    }
}

impl Inner {
    fn children(&self, place: usize) -> &Children {
        let method = &self.methods[place];
        method.children.get_or_init(|| Children {
            in_flight: self.families.in_flight.with_label_values(&[method.name]),
            seconds: self.families.seconds.with_label_values(&[method.name]),
            calls: std::array::from_fn(|_| OnceLock::new()),
        })
    }
}

impl Families {
    fn new(metrics: &Metrics) -> Self {
        let help =
            "Time from a call's first byte to the last byte of its answer, of calls that were not refused.";
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
