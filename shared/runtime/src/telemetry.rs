//! Telemetry of a running process: logs, and OpenTelemetry traces.
//!
//! A process has one subscriber. Events become log lines; spans of the target `TARGET`, and only those, become spans
//! of a trace. The decision whether to record a trace is made once, where it enters the process, and travels as the
//! sampled flag of the OpenTelemetry context. If nothing is recorded, a span costs one check of that flag.

mod context;
mod exporter;
mod logs;
mod sampling;
mod spans;
mod statements;

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use schemars::JsonSchema;
use serde::Deserialize;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::client::Target;
use crate::error::{Error, Result};
pub use context::{inherited, trace_id};
pub(crate) use context::{is_recorded, read_context, unrecorded, write_context};
pub use logs::{LogConfig, LogFormat};
pub(crate) use sampling::{begins_trace, joins_trace};
pub(crate) use spans::TARGET;
pub use spans::{command, failed, job, stage, stage_of, task};

/// Time limit for sending the last spans when the process ends.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Traces, sent to a collector.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// A collector that takes OTLP over gRPC: `http://HOST:4317`. Without it, the process reads
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` from its environment; without either, nothing is traced.
    pub otlp_endpoint: Option<String>,
    /// The certificate authorities of the collector, PEM; the system's if it is not set.
    pub ca_file: Option<PathBuf>,
    /// Permits an `http://` address on another machine; only for networks that encrypt their traffic.
    pub plaintext: bool,
    /// Of the calls that arrive without a trace, the share that is traced. A call that arrives with a trace is recorded
    /// if its caller records the trace. Per second, at most 100 traces that begin here are recorded, and at most 100 that
    /// callers began.
    #[schemars(range(min = 0, max = 1))]
    pub sampling: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, ca_file: None, plaintext: false, sampling: 0.1 }
    }
}

impl TelemetryConfig {
    /// The collector in the configuration.
    fn target(&self) -> Option<Target> {
        self.at(self.otlp_endpoint.clone(), self.plaintext)
    }

    /// The collector in the environment, which often sets one for all programs of a machine or pod.
    fn target_of_environment(&self) -> Option<Target> {
        let allowed = std::env::var("STRONGROOM_PLAINTEXT").is_ok_and(|value| value == "true");
        self.at(std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok(), self.plaintext || allowed)
    }

    fn at(&self, url: Option<String>, plaintext: bool) -> Option<Target> {
        let url = url.filter(|url| !url.is_empty())?;
        Some(Target { url, ca_file: self.ca_file.clone(), plaintext, ..Target::default() })
    }

    fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.sampling) {
            return Ok(());
        }
        Err(Error::Config(format!("telemetry.sampling is {}; it must be from 0 to 1", self.sampling)))
    }
}

/// The running telemetry of a process. [`Telemetry::stop`] sends the spans that are still waiting.
#[must_use = "the last spans leave when it is stopped"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    /// Why nothing is traced although the environment names a collector.
    pub problem: Option<String>,
}

/// Starts logs, and traces if there is a collector, for the program `name`. Call it within the async runtime.
///
/// # Errors
/// [`Error::Config`] and [`Error::Transport`] naming the configuration key that cannot be used. The environment is not
/// this program's own configuration: if its collector cannot be used, there are no traces, and [`Telemetry::problem`]
/// says why.
pub fn start(name: &'static str, log: &LogConfig, config: &TelemetryConfig) -> Result<Telemetry> {
    config.check()?;
    let logs = logs::layer(log)?;
    let configured = config.target();
    let is_configured = configured.is_some();
    let target = configured.or_else(|| config.target_of_environment());
    let provider = target.map(|target| Ok((exporter::provider(name, &target)?, target))).transpose();
    let problem = match provider {
        Ok(Some((provider, target))) => {
            trace(logs, &provider, &target, config.sampling);
            return Ok(Telemetry { provider: Some(provider), problem: None });
        }
        Err(error) if is_configured => return Err(error),
        Err(error) => Some(format!(
            "nothing is traced, because the collector of OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}"
        )),
        Ok(None) => None,
    };
    // Tests start several in one process: the first one stays.
    let _ = tracing_subscriber::registry().with(logs).try_init();
    Ok(Telemetry { provider: None, problem })
}

fn trace(logs: LogLayer, provider: &SdkTracerProvider, target: &Target, sampling: f64) {
    let tracer = provider.tracer("strongroom");
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer.clone())
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET));
    let statements = statements::Statements::new(tracer).with_filter(statements::filter());
    let layers: [LogLayer; 3] = [logs, spans.boxed(), statements.boxed()];
    if tracing_subscriber::registry().with(Vec::from(layers)).try_init().is_ok() {
        sampling::begin(sampling);
        tracing::info!(collector = %target.url, sampling, "calls are traced");
    }
}

/// A layer above the registry.
type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

impl Telemetry {
    /// Sends the waiting spans, for at most two seconds.
    pub async fn stop(self) {
        let Some(provider) = self.provider else { return };
        let stopping = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST_SPANS));
        if let Ok(Err(error)) = stopping.await {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
