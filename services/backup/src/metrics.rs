//! The backup service's metrics. Label children are resolved once, here; an operation touches only atomics.
//!
//! Label values come from fixed lists: the kinds and outcomes of operations, and the stages of an export.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_runtime::metrics::{Gauge, Histogram, IntCounter, IntCounterVec, Kind as Sampling, Sample};
use strongroom_runtime::{Clock, Metrics};

/// Buckets of operation durations, in seconds.
const BUCKETS: [f64; 8] = [0.1, 1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0];

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did its work and found nothing wrong.
    Success,
    /// It failed, or found damage.
    Failed,
    /// Its client left, or was too slow.
    Aborted,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Success, Self::Failed, Self::Aborted];

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

/// The amount of data of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Size of the file.
    pub(crate) bytes: i64,
    /// Rows in its tables.
    pub(crate) rows: i64,
}

/// The last operation of a kind in this process.
#[derive(Debug, Clone)]
pub(crate) struct Last {
    /// What it worked on, such as a file's name.
    pub(crate) target: String,
    pub(crate) outcome: Outcome,
    /// The stable reason of its error; empty if it did its work.
    pub(crate) reason: &'static str,
    /// End time, in microseconds since the epoch.
    pub(crate) end_time: i64,
    /// End time of the last successful operation.
    pub(crate) success_time: Option<i64>,
}

/// The metric families of operations.
pub(crate) struct BackupMetrics {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    running: strongroom_runtime::metrics::GaugeVec,
    refused: IntCounterVec,
    ended: IntCounterVec,
    succeeded: strongroom_runtime::metrics::GaugeVec,
    last_success: strongroom_runtime::metrics::GaugeVec,
}

impl BackupMetrics {
    pub(crate) fn new(metrics: &Metrics, clock: Arc<dyn Clock>) -> Self {
        let by_kind = ["kind"];
        Self {
            running: metrics.gauges(
                "strongroom_backup_operations_running",
                "Operations that are running.",
                &by_kind,
            ),
            refused: metrics.counters(
                "strongroom_backup_operations_refused_total",
                "Operations that were refused because too many were running.",
                &by_kind,
            ),
            ended: metrics.counters(
                "strongroom_backup_operations_total",
                "Operations that have ended. A verification that finds damage counts as failed.",
                &["kind", "outcome"],
            ),
            succeeded: metrics.gauges(
                "strongroom_backup_last_operation_succeeded",
                "Whether the last operation of the kind succeeded (1) or not (0); absent before the first one.",
                &by_kind,
            ),
            last_success: metrics.gauges(
                "strongroom_backup_last_success_timestamp_seconds",
                "Time of the last success in this process, in seconds since the epoch; absent before the first one.",
                &by_kind,
            ),
            metrics: metrics.clone(),
            clock,
        }
    }

    /// Metrics of operations of `kind`, a fixed name.
    pub(crate) fn kind(&self, kind: &'static str) -> KindMetrics {
        self.kind_that_moves(kind, None)
    }

    /// Metrics of exports, the kind whose bytes and rows are counted.
    pub(crate) fn export_kind(&self, kind: &'static str) -> KindMetrics {
        self.kind_that_moves(kind, Some(self.moved()))
    }

    fn kind_that_moves(&self, kind: &'static str, moved: Option<Moved>) -> KindMetrics {
        let seconds = format!("strongroom_backup_{kind}_duration_seconds");
        let help =
            format!("Duration of an operation of the kind {kind}, from its first audit event to its last.");
        KindMetrics(Arc::new(KindInner {
            kind,
            clock: Arc::clone(&self.clock),
            running: self.running.with_label_values(&[kind]),
            refused: self.refused.with_label_values(&[kind]),
            ended: Outcome::ALL.map(|outcome| self.ended.with_label_values(&[kind, outcome.as_str()])),
            seconds: self.metrics.histogram(&seconds, &help, &BUCKETS),
            moved,
            succeeded: self.succeeded.clone(),
            last_success: self.last_success.clone(),
            last: Mutex::default(),
        }))
    }

    fn moved(&self) -> Moved {
        let (metrics, bytes) = (&self.metrics, "strongroom_backup_exported_bytes_total");
        Moved {
            bytes: metrics.counter(bytes, "Bytes of the archives of successful exports."),
            rows: metrics.counter("strongroom_backup_exported_rows_total", "Rows in those archives."),
        }
    }

    /// Metrics of exports only.
    pub(crate) fn exports(&self) -> ExportMetrics {
        let help = "Time of exports by what they waited for: `read` for the sources, `pack` for compressing and \
                    sealing, `send` for the client.";
        let stages = Arc::new(Mutex::new([Duration::ZERO; STAGES.len()]));
        let sampled = Arc::clone(&stages);
        self.metrics.sampled(
            Sampling::Counter,
            "strongroom_backup_export_stage_seconds_total",
            help,
            &["stage"],
            move || {
                let times = *sampled.lock().unwrap_or_else(PoisonError::into_inner);
                let sample = |(stage, time): (&str, Duration)| Sample {
                    labels: vec![stage.to_owned()],
                    value: time.as_secs_f64(),
                };
                STAGES.into_iter().zip(times).map(sample).collect()
            },
        );
        ExportMetrics { stages }
    }

    /// A counter of verifications only.
    pub(crate) fn received_bytes(&self) -> IntCounter {
        let help = "Bytes of files that were completely received for verification.";
        self.metrics.counter("strongroom_backup_verification_received_bytes_total", help)
    }
}

/// Metrics of operations of one kind.
#[derive(Clone)]
pub(crate) struct KindMetrics(Arc<KindInner>);

struct KindInner {
    kind: &'static str,
    clock: Arc<dyn Clock>,
    running: Gauge,
    refused: IntCounter,
    ended: [IntCounter; Outcome::ALL.len()],
    seconds: Histogram,
    /// Only for kinds that send data to a client.
    moved: Option<Moved>,
    succeeded: strongroom_runtime::metrics::GaugeVec,
    last_success: strongroom_runtime::metrics::GaugeVec,
    last: Mutex<Option<Last>>,
}

struct Moved {
    bytes: IntCounter,
    rows: IntCounter,
}

impl KindMetrics {
    pub(crate) fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// Number of running operations.
    pub(crate) fn running(&self) -> i64 {
        self.0.running.get()
    }

    /// The last operation that ended.
    pub(crate) fn last(&self) -> Option<Last> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refused(&self) {
        self.0.refused.inc();
    }

    pub(crate) fn began(&self) {
        self.0.running.inc();
    }

    /// Counts the size of an operation that succeeded: its client has an archive of this size.
    pub(crate) fn moved(&self, size: Size) {
        if let Some(moved) = &self.0.moved {
            moved.bytes.inc_by(size.bytes.unsigned_abs());
            moved.rows.inc_by(size.rows.unsigned_abs());
        }
    }

    /// Counts the end of an operation. It runs once per operation, so the cost of looking up a child does not matter.
    pub(crate) fn ended(&self, target: &str, time: Duration, outcome: Outcome, reason: &'static str) {
        let inner = &self.0;
        inner.running.dec();
        inner.seconds.observe(time.as_secs_f64());
        inner.ended[outcome as usize].inc();
        inner.succeeded.with_label_values(&[inner.kind]).set(i64::from(outcome == Outcome::Success));
        let end_time = inner.clock.now_micros();
        let mut last = inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut success_time = last.as_ref().and_then(|last| last.success_time);
        if outcome == Outcome::Success {
            success_time = Some(end_time);
            inner.last_success.with_label_values(&[inner.kind]).set(end_time / 1_000_000);
        }
        *last = Some(Last { target: target.to_owned(), outcome, reason, end_time, success_time });
    }
}

const STAGES: [&str; 3] = ["read", "pack", "send"];

/// Time that exports spend per stage.
#[derive(Clone)]
pub(crate) struct ExportMetrics {
    stages: Arc<Mutex<[Duration; STAGES.len()]>>,
}

impl ExportMetrics {
    /// Counts the time of a writer that ended: `all` in total, `read` waiting for sources, and `sent` waiting for its
    /// client.
    pub(crate) fn stages(&self, all: Duration, read: Duration, sent: Duration) {
        let pack = all.saturating_sub(read).saturating_sub(sent);
        let mut times = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        for (time, more) in times.iter_mut().zip([read, pack, sent]) {
            *time += more;
        }
    }
}
