//! Removes scratch databases: however a drill ends, none of its rows stays.
//!
//! Each place is noted before something is created there ([`crate::store::ScratchRow`]), and stays noted until a
//! removal succeeds ten minutes or more after the end of the drill, because a server may continue a CREATE DATABASE
//! whose client has left. A failed removal is retried forever, and reported by a metric.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strongroom_runtime::metrics::{Kind, Sample};
use strongroom_runtime::{Metrics, Shutdown};
use strongroom_store::DatabaseUrl;
use strongroom_tables::scratch;

use super::Base;
use super::scratch::name_of;
use crate::error::Result;
use crate::said::Said;
use crate::store::ScratchRow;

/// Interval between sweeps.
const PERIOD: Duration = Duration::from_secs(20);
/// Maximum duration of one removal.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the removal of a drill's databases is repeated after the end of the drill, in microseconds.
const GRACE: i64 = 10 * 60 * 1_000_000;

/// Removes leftovers of drills.
#[derive(Clone)]
pub(super) struct Sweeping {
    base: Base,
    /// Number of places whose contents could not be removed.
    left: Arc<AtomicI64>,
}

impl Sweeping {
    pub(super) fn new(base: Base, metrics: &Metrics) -> Self {
        let left = Arc::<AtomicI64>::default();
        let (name, help) = (
            "strongroom_backup_scratch_databases_left",
            "Scratch databases of ended drills that could not be removed.",
        );
        let counted = Arc::clone(&left);
        metrics.sampled(Kind::Gauge, name, help, &[], move || {
            vec![Sample::plain(counted.load(Ordering::Relaxed) as f64)]
        });
        Self { base, left }
    }

    /// Sweeps until `shutdown`.
    pub(super) async fn run(&self, shutdown: &Shutdown) {
        let mut said = Said::default();
        let sweeping = async {
            loop {
                tokio::time::sleep(PERIOD).await;
                let problem = match self.sweep().await {
                    Ok(left) => {
                        self.left.store(i64::try_from(left.len()).unwrap_or(i64::MAX), Ordering::Relaxed);
                        (!left.is_empty()).then(|| left.join("; "))
                    }
                    Err(error) => Some(error.to_string()),
                };
                if let Some(problem) = said.news(problem) {
                    tracing::warn!(problem, "scratch databases of drills cannot be removed; trying again");
                }
            }
        };
        shutdown.unless_begun::<_>(sweeping).await;
    }

    /// The problem of each place that cannot be cleared.
    async fn sweep(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for noted in self.base.store.ended_scratches().await? {
            let Some(place) = self.place(&noted) else {
                left.push(format!(
                    "{} in {}, which this process cannot reach",
                    name_of(&noted.drill_id),
                    noted.place
                ));
                continue;
            };
            match within(scratch::remove(&place, &name_of(&noted.drill_id))).await {
                Ok(()) if self.base.clock.now_micros() >= noted.end_time.saturating_add(GRACE) => {
                    self.base.store.forget_scratch(&noted.drill_id, &noted.kind).await?;
                }
                Ok(()) => {}
                Err(problem) => left.push(format!("{}: {problem}", name_of(&noted.drill_id))),
            }
        }
        Ok(left)
    }

    /// The place, if this process can reach it: the server must be the configured one, and the folder must exist here.
    fn place(&self, noted: &ScratchRow) -> Option<DatabaseUrl> {
        if noted.kind == "sqlite" {
            let is_here = Path::new(&noted.place).is_dir();
            return is_here.then(|| DatabaseUrl::sqlite_file(&noted.place).ok()).flatten();
        }
        self.base.places.of(&noted.kind).filter(|place| place.to_string() == noted.place).cloned()
    }
}

impl Base {
    /// Removes the scratch databases of a drill now. Sweeping removes the rest.
    pub(super) async fn clear(&self, drill: &str) {
        for place in self.places.all() {
            if let Err(problem) = within(scratch::remove(place, &name_of(drill))).await {
                tracing::warn!(drill, problem, "a scratch database cannot be removed yet; trying again");
            }
        }
    }
}

async fn within(removal: impl Future<Output = strongroom_tables::Result<()>>) -> Result<(), String> {
    match tokio::time::timeout(LIMIT, removal).await {
        Ok(removed) => removed.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}
