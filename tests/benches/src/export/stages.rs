//! Each stage of an export alone: its cost when nothing else runs, to find the slowest one.

mod copying;
mod grpc;
mod reading;
mod sqlite_json;
mod writing;

use std::time::{Duration, Instant};

use strongroom_testkit::TestDb;

use super::data::TABLE;
use super::megabytes;
use crate::processors;

/// Runs of a stage; the median counts.
const ROUNDS: usize = 3;

/// Prints each stage's throughput and its time for all rows of `postgres`.
pub(super) async fn measure(postgres: &TestDb, sqlite: &TestDb) {
    println!("\nstages alone; {ROUNDS} runs, the middle one. \"own\" is the processor time of this process.");
    println!("{:<46} {:>6} {:>11} {:>7} {:>7}", "", "MB/s", "s for all", "own s", "all s");
    let json = reading::measure(postgres, sqlite).await;
    let archive = writing::measure(&json);
    grpc::measure(archive).await;
}

/// Cost of one run of a stage.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    /// Processor time of this process's threads.
    own: Duration,
    /// Processor time of all processes.
    all: Duration,
}

impl Cost {
    fn middle(mut costs: Vec<Self>) -> Self {
        costs.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        costs[costs.len() / 2]
    }

    /// Prints the cost of a run over `bytes` for a stage that processes `whole` bytes in an export.
    fn print(self, stage: &str, bytes: u64, whole: u64) {
        let share = megabytes(whole) / megabytes(bytes);
        let rate = megabytes(bytes) / self.seconds;
        let (own, all) = (self.own.as_secs_f64() * share, self.all.as_secs_f64() * share);
        println!("{stage:<46} {rate:>6.0} {:>11.2} {own:>7.2} {all:>7.2}", self.seconds * share);
    }
}

/// Started before a stage and stopped after it.
struct Clock {
    began: Instant,
    own: Duration,
    all: Duration,
}

impl Clock {
    fn start() -> Self {
        Self { own: processors::own(), all: processors::busy(), began: Instant::now() }
    }

    fn stop(&self) -> Cost {
        let seconds = self.began.elapsed().as_secs_f64();
        Cost { seconds, own: processors::own() - self.own, all: processors::busy() - self.all }
    }
}

/// Runs a stage that only computes.
fn middle(mut stage: impl FnMut()) -> Cost {
    let run = |_| {
        let clock = Clock::start();
        stage();
        clock.stop()
    };
    Cost::middle((0..ROUNDS).map(run).collect())
}
