//! Each stage of an export alone: what one costs when nothing else runs, so that the slowest is known.

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

/// Runs of a stage; the middle one counts.
const ROUNDS: usize = 3;

/// Prints what each stage does in a second, and how long all rows of `postgres` take it.
pub(super) async fn measure(postgres: &TestDb, sqlite: &TestDb) {
    println!("\nstages alone; {ROUNDS} runs, the middle one. \"own\" is the processor time of this process.");
    println!("{:<46} {:>6} {:>11} {:>7} {:>7}", "", "MB/s", "s for all", "own s", "all s");
    let json = reading::measure(postgres, sqlite).await;
    let archive = writing::measure(&json);
    grpc::measure(archive).await;
}

/// What one run of a stage took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    /// Of this process's threads.
    own: Duration,
    /// Of all processes.
    all: Duration,
}

impl Cost {
    fn middle(mut costs: Vec<Self>) -> Self {
        costs.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        costs[costs.len() / 2]
    }

    /// Prints it for a run over `bytes` of a stage that takes `whole` bytes in an export.
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

/// Runs a stage that computes only.
fn middle(mut stage: impl FnMut()) -> Cost {
    let run = |_| {
        let clock = Clock::start();
        stage();
        clock.stop()
    };
    Cost::middle((0..ROUNDS).map(run).collect())
}
