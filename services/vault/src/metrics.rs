//! The vault's metrics. Label children are resolved here once; a call only touches atomics.
//!
//! Labels are keys and their versions, so there is one series for each version of the ring.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_crypto::{KeyVersion, State};
use strongroom_runtime::Metrics;
use strongroom_runtime::metrics::{Gauge, Histogram, IntCounter, Kind, Sample};
use strongroom_store::{DatabaseUrl, Disk};
use tokio::time::Instant;

use crate::keys::Ring;
use crate::store::columns::SEALED;
use crate::store::{AuditHead, KeyVersionRow, Store};
use crate::tampered::TamperedRows;

/// Buckets: uses in one transaction.
const BATCHES: [f64; 5] = [1.0, 4.0, 16.0, 64.0, 256.0];
/// Buckets: seconds that a use waits.
const WAITS: [f64; 7] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.5, 5.0];

/// The vault's metrics, grouped by the domain module that updates them.
pub(crate) struct VaultMetrics {
    pub(crate) uses: UseMetrics,
    pub(crate) access: AccessMetrics,
    pub(crate) reencrypt: ReencryptMetrics,
    pub(crate) audit: AuditMetrics,
    pub(crate) census: CensusMetrics,
    pub(crate) tampered: TamperedRows,
}

impl VaultMetrics {
    pub(crate) fn new(
        metrics: &Metrics,
        ring: &Arc<Ring>,
        store: &Arc<dyn Store>,
        database: &DatabaseUrl,
    ) -> Self {
        sample_ring(metrics, ring);
        sample_disk(metrics, database);
        let store = Arc::clone(store);
        metrics.sampled(
            Kind::Counter,
            "strongroom_vault_audit_write_failures_total",
            "Changes and uses that were refused because their audit event could not be written.",
            &[],
            move || vec![Sample::plain(store.audit_failures() as f64)],
        );
        Self {
            uses: UseMetrics::new(metrics),
            access: AccessMetrics::new(metrics),
            reencrypt: ReencryptMetrics::new(metrics),
            audit: AuditMetrics::new(metrics),
            census: CensusMetrics::new(metrics),
            tampered: TamperedRows::new(metrics),
        }
    }
}

/// The ring keeps its own counters.
fn sample_ring(metrics: &Metrics, ring: &Arc<Ring>) {
    type Count = fn(&KeyVersion) -> u64;
    let counts: [(&str, &str, Count); 2] = [
        ("strongroom_vault_seals_total", "Values sealed and manifests signed, by key version.", |version| {
            version.usage().seals()
        }),
        ("strongroom_vault_opens_total", "Values opened, by key version.", |version| version.usage().opens()),
    ];
    for (name, help, count) in counts {
        let ring = Arc::clone(ring);
        metrics.sampled(Kind::Counter, name, help, &["key", "kid"], move || {
            let ring = ring.current();
            let sample = |version: &KeyVersion| Sample {
                labels: vec![version.key_id().to_owned(), version.kid().to_string()],
                value: count(version) as f64,
            };
            ring.versions().map(sample).collect()
        });
    }
    let ring = Arc::clone(ring);
    let help = "Revision of the key ring that this process has open; replicas agree within seconds.";
    metrics.sampled(Kind::Gauge, "strongroom_vault_ring_revision", help, &[], move || {
        vec![Sample::plain(ring.revision() as f64)]
    });
}

/// Only for an embedded database: a database server has its own monitoring.
fn sample_disk(metrics: &Metrics, database: &DatabaseUrl) {
    type Part = fn(Disk) -> u64;
    let parts: [(&str, &str, Part); 2] = [
        (
            "strongroom_vault_database_bytes",
            "Size of the embedded database with its write-ahead log.",
            |disk| disk.used,
        ),
        (
            "strongroom_vault_database_free_bytes",
            "Free bytes of the embedded database's file system.",
            |disk| disk.free,
        ),
    ];
    for (name, help, part) in parts {
        let database = database.clone();
        let read =
            move || Disk::of(&database).map(|disk| Sample::plain(part(disk) as f64)).into_iter().collect();
        metrics.sampled(Kind::Gauge, name, help, &[], read);
    }
}

/// Number of values that need each key version, as last counted.
#[derive(Clone)]
pub(crate) struct CensusMetrics {
    counted: Arc<Mutex<Vec<Sample>>>,
}

impl CensusMetrics {
    fn new(metrics: &Metrics) -> Self {
        let counted: Arc<Mutex<Vec<Sample>>> = Arc::default();
        let last = Arc::clone(&counted);
        metrics.sampled(
            Kind::Gauge,
            "strongroom_vault_key_version_values",
            "Values that need a key version, as the census counts them every five minutes.",
            &["key", "kid", "state"],
            move || last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        );
        Self { counted }
    }

    /// `values` are by kid. Destroyed versions are left out: no value that still opens needs one.
    pub(crate) fn set(&self, versions: &[KeyVersionRow], values: &BTreeMap<String, i64>) {
        let sample = |version: &KeyVersionRow| Sample {
            labels: vec![version.key_id.clone(), version.kid.clone(), version.state.as_str().to_owned()],
            value: values.get(&version.kid).copied().unwrap_or(0) as f64,
        };
        let kept = versions.iter().filter(|version| version.state != State::Destroyed);
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = kept.map(sample).collect();
    }
}

/// Metrics of the use log.
#[derive(Clone)]
pub(crate) struct UseMetrics {
    batch: Histogram,
    wait: Histogram,
    oldest: Arc<Oldest>,
}

/// Arrival time of the oldest waiting use, in microseconds after `origin`; 0 while no use waits.
struct Oldest {
    origin: Instant,
    since: AtomicU64,
}

impl UseMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        // One microsecond earlier, so no use arrives at 0.
        let origin = Instant::now() - Duration::from_micros(1);
        let oldest = Arc::new(Oldest { origin, since: AtomicU64::new(0) });
        let waiting = Arc::clone(&oldest);
        metrics.sampled(
            Kind::Gauge,
            "strongroom_vault_audit_oldest_wait_seconds",
            "Age of the oldest use of a key or secret whose audit event is not durable yet; 0 while none waits.",
            &[],
            move || vec![Sample::plain(waiting.age())],
        );
        Self {
            batch: metrics.histogram(
                "strongroom_vault_audit_batch_uses",
                "Uses of keys and secrets whose audit events one transaction commits.",
                &BATCHES,
            ),
            wait: metrics.histogram(
                "strongroom_vault_audit_wait_seconds",
                "Time that a use of a key or secret waits until its audit event is durable.",
                &WAITS,
            ),
            oldest,
        }
    }

    /// The write of a batch begins; its oldest use arrived at `since`.
    pub(crate) fn begin(&self, uses: usize, since: Instant) {
        self.batch.observe(uses as f64);
        let micros = since.saturating_duration_since(self.oldest.origin).as_micros() as u64;
        self.oldest.since.store(micros, Ordering::Relaxed);
    }

    /// The write succeeded or failed.
    pub(crate) fn end(&self) {
        self.oldest.since.store(0, Ordering::Relaxed);
    }

    /// A caller was answered after waiting for `time`.
    pub(crate) fn waited(&self, time: Duration) {
        self.wait.observe(time.as_secs_f64());
    }
}

impl Oldest {
    fn age(&self) -> f64 {
        match self.since.load(Ordering::Relaxed) {
            0 => 0.0,
            micros => self.origin.elapsed().saturating_sub(Duration::from_micros(micros)).as_secs_f64(),
        }
    }
}

/// Metrics of refused callers.
#[derive(Clone)]
pub(crate) struct AccessMetrics {
    /// Refused for lack of a permission.
    pub(crate) denied: IntCounter,
    /// Refused for lack of a valid token.
    pub(crate) refused: IntCounter,
}

impl AccessMetrics {
    fn new(metrics: &Metrics) -> Self {
        let denied =
            "Calls of the vault that were refused because the token or identity lacks the permission.";
        let refused =
            "Tokens that were unknown, expired or revoked, in calls and in questions of other services.";
        Self {
            denied: metrics.counter("strongroom_vault_calls_denied_total", denied),
            refused: metrics.counter("strongroom_vault_tokens_refused_total", refused),
        }
    }
}

/// Metrics of the audit log, updated by the database health check.
#[derive(Clone)]
pub(crate) struct AuditMetrics {
    sequence: Gauge,
    time: Gauge,
}

impl AuditMetrics {
    fn new(metrics: &Metrics) -> Self {
        let sequence = "Events in the audit log since it began: the sequence of the newest one.";
        let time = "Time of the newest event of the audit log, in seconds since the epoch.";
        Self {
            sequence: metrics.gauge("strongroom_vault_audit_head_sequence", sequence),
            time: metrics.gauge("strongroom_vault_audit_last_append_timestamp_seconds", time),
        }
    }

    pub(crate) fn set(&self, head: &AuditHead) {
        self.sequence.set(head.sequence);
        self.time.set(head.time.unwrap_or(0) / 1_000_000);
    }
}

/// Metrics of re-encryption, limited to the work of this process.
#[derive(Clone)]
pub(crate) struct ReencryptMetrics {
    by_key: Arc<BTreeMap<&'static str, (IntCounter, Gauge)>>,
}

impl ReencryptMetrics {
    fn new(metrics: &Metrics) -> Self {
        let done = metrics.counters(
            "strongroom_vault_reencrypt_rows_total",
            "Rows that this process re-encrypted.",
            &["key"],
        );
        let left = metrics.gauges(
            "strongroom_vault_reencrypt_rows_left",
            "Rows that the run of this process has not yet moved to the primary version; 0 while it works on none.",
            &["key"],
        );
        let children =
            |key: &'static str| (key, (done.with_label_values(&[key]), left.with_label_values(&[key])));
        Self { by_key: Arc::new(SEALED.iter().map(|column| children(column.key_id)).collect()) }
    }

    /// `rows` rows of the key's column were written.
    pub(crate) fn resealed(&self, key: &str, rows: i64) {
        if let Some((done, left)) = self.by_key.get(key) {
            done.inc_by(rows.unsigned_abs());
            left.set((left.get() - rows).max(0));
        }
    }

    /// This process works on the run; the remaining rows of each key were counted.
    pub(crate) fn set_left(&self, counted: &BTreeMap<&'static str, i64>) {
        for (key, rows) in counted {
            if let Some((_, left)) = self.by_key.get(key) {
                left.set(*rows);
            }
        }
    }

    /// This process no longer works on a run; another process may continue it.
    pub(crate) fn none_left(&self) {
        for (_, left) in self.by_key.values() {
            left.set(0);
        }
    }
}
