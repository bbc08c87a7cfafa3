//! The certificates of a listener, as metrics and on the page.

use super::{Kind, Metrics, Sample};

/// State of a listener's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificates {
    /// Expiry of the certificate in use, in seconds since the epoch.
    pub not_after: i64,
    /// Number of replacements.
    pub reloads: u64,
    /// Number of new certificates that could not be used, so that the old one stayed.
    pub failed_reloads: u64,
}

pub(super) type ReadCertificates = dyn Fn() -> Certificates + Send + Sync;

impl Metrics {
    /// Publishes the result of `read` at each scrape; `read` must not block. Call this once, for a server with
    /// certificates.
    pub fn publish_certificates(&self, read: impl Fn() -> Certificates + Send + Sync + 'static) {
        if self.certificates.set(Box::new(read)).is_err() {
            return;
        }
        let metrics = self.certificates.clone();
        let expiry = move || metrics.get().map(|read| read().not_after as f64);
        self.sampled(
            Kind::Gauge,
            "strongroom_tls_certificate_expiry_timestamp_seconds",
            "Expiry time of the certificate that the service presents, in seconds since the epoch.",
            &[],
            move || expiry().map(Sample::plain).into_iter().collect(),
        );
        let metrics = self.certificates.clone();
        self.sampled(
            Kind::Counter,
            "strongroom_tls_certificate_reloads_total",
            "New certificates, by whether they could be used; a failed one leaves the old one in use.",
            &["outcome"],
            move || {
                let Some(read) = metrics.get() else { return Vec::new() };
                let now = read();
                [("success", now.reloads), ("failed", now.failed_reloads)]
                    .map(|(outcome, count)| Sample { labels: vec![outcome.to_owned()], value: count as f64 })
                    .into()
            },
        );
    }

    /// Publishes the failed handshakes that `read` counts by reason. Call this once, for a server with certificates.
    pub(crate) fn publish_handshakes(
        &self,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) {
        let sample =
            |(reason, count): (&str, u64)| Sample { labels: vec![reason.to_owned()], value: count as f64 };
        self.sampled(
            Kind::Counter,
            "strongroom_tls_handshakes_failed_total",
            "TLS handshakes that failed, by reason.",
            &["reason"],
            move || read().into_iter().map(sample).collect(),
        );
    }

    /// The current state of the published certificates; `None` without certificates.
    #[must_use]
    pub fn certificates(&self) -> Option<Certificates> {
        self.certificates.get().map(|read| read())
    }
}
