//! Sends spans to a collector: OTLP over gRPC, in batches, from a separate thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};

use crate::client::Target;
use crate::error::{Error, Result};

/// Time limit for a batch. The exporter's own timeout does not end a call.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Creates spans of the program `name` and sends them to `target`. Every created span is sent: a trace that is not
/// recorded creates none.
pub(super) fn provider(name: &'static str, target: &Target) -> Result<SdkTracerProvider> {
    let otlp = Otlp::builder()
        .with_tonic()
        .with_channel(target.channel_within(TIMEOUT)?)
        .with_timeout(TIMEOUT)
        .build()
        .map_err(|error| Error::Transport(format!("telemetry.otlp_endpoint: {error}")))?;
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let exporter = Reporting { otlp, collector: target.url.clone(), failing: AtomicBool::new(false) };
    Ok(SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build())
}

/// Logs once that the collector is unavailable, and once that it is back.
struct Reporting {
    otlp: Otlp,
    collector: String,
    failing: AtomicBool,
}

impl fmt::Debug for Reporting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reporting").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl SpanExporter for Reporting {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let count = spans.len();
        let sent = self.otlp.export(spans).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                let collector = &self.collector;
                tracing::warn!(collector, count, %error, "spans are lost: the collector does not accept them");
            }
            Ok(()) if was_failing => {
                tracing::info!(collector = self.collector, "the collector accepts spans again");
            }
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
