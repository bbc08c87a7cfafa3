//! Metrics of one service, in the text format that Prometheus scrapes.
//!
//! Nothing is global: `dev` runs two services in one process, each with its own [`Metrics`]. Label values come from
//! fixed lists, the configuration, the key ring and the names of schedules: a caller creates series only by creating
//! keys or schedules. docs/metrics.md describes every family; a test compares it with the served metrics.

mod rpc;
mod sampled;
mod tls;

use std::sync::{Arc, OnceLock};

use prometheus::process_collector::ProcessCollector;
use prometheus::{Encoder as _, IntGauge, Opts, Registry, TextEncoder};

pub use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge as Gauge, IntGaugeVec as GaugeVec,
};
pub use rpc::Rpc;
pub use sampled::{Kind, Sample};
pub use tls::Certificates;

use sampled::Sampled;
use tls::ReadCertificates;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The metrics of one service. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    certificates: Arc<OnceLock<Box<ReadCertificates>>>,
}

impl Metrics {
    /// Metrics that every process has: version, memory, file descriptors, processor time and start time.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self { registry: Registry::new(), certificates: Arc::default() };
        metrics.register(ProcessCollector::for_self());
        let help = "1, labelled with the version of the service.";
        let build =
            Opts::new("strongroom_build_info", help).const_label("version", env!("CARGO_PKG_VERSION"));
        metrics.add(IntGauge::with_opts(build)).set(1);
        metrics
    }

    /// A number that only rises. Its name ends in `_total`.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    /// Counters by `labels`. Resolve the children once: each look-up hashes the labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A number that rises and falls.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.add(IntGauge::new(name, help))
    }

    /// Gauges by `labels`.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), labels))
    }

    /// A distribution over `buckets`.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    /// Values that are kept elsewhere and read at each scrape. `labels` are the names of each sample's labels. `read`
    /// must neither block nor fail.
    pub fn sampled(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.register(Sampled::new(kind, name, help, labels, read));
    }

    /// All metrics in the text format.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(64 << 10);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be written");
        }
        text
    }

    /// Registers a collector that was created with a literal name.
    fn add<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("a metric's name and labels are literals");
        self.register(made.clone());
        made
    }

    fn register(&self, collector: impl prometheus::core::Collector + 'static) {
        self.registry.register(Box::new(collector)).expect("each metric is registered once");
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
