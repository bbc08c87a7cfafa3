//! Callers that repeat one call, each waiting for its answer.

use std::time::{Duration, Instant};

/// Combined result of some callers.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    /// Calls a second.
    pub(super) rate: f64,
    /// Median in milliseconds.
    pub(super) p50: f64,
    /// 99th percentile in milliseconds.
    pub(super) p99: f64,
}

/// Runs one caller for each of `states` until `time` is over.
pub(super) async fn run<S, F>(states: Vec<S>, time: Duration, call: fn(S) -> F) -> Sample
where
    S: Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let began = Instant::now();
    let mut callers = Vec::new();
    for state in states {
        callers.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while began.elapsed() < time {
                let sent = Instant::now();
                call(state.clone()).await;
                latencies.push(sent.elapsed());
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await.unwrap());
    }
    let seconds = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = latencies.len() as f64 / seconds;
    Sample { rate, p50: at(50), p99: at(99) }
}

/// The medians of several samples.
pub(super) fn middle(samples: impl IntoIterator<Item = Sample>) -> Sample {
    let samples: Vec<Sample> = samples.into_iter().collect();
    let of = |field: fn(&Sample) -> f64| super::median(samples.iter().map(field).collect());
    Sample { rate: of(|sample| sample.rate), p50: of(|sample| sample.p50), p99: of(|sample| sample.p99) }
}
