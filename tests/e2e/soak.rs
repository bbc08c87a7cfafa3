//! A soak: reveals, rotations, exports, stored backups, restores and a schedule at the same time, while processes and database
//! connections die. Afterwards every invariant holds, and nothing of what ran is left behind.
//!
//! An hour with `tests/run --long`, some seconds elsewhere; `STRONGROOM_SOAK_SECONDS` chooses another length.

mod bank;
mod load;
mod remains;
mod site;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::long;
use strongroom_fuzz::Random;

use load::Load;
use site::Site;

/// Pause between two kills, at most.
const PAUSE: Duration = Duration::from_secs(12);

fn length() -> Duration {
    let chosen = std::env::var("STRONGROOM_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(chosen.unwrap_or(if long() { 3600 } else { 20 }))
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are what a long run reports")]
fn everything_at_once_with_kills_leaves_nothing_behind() {
    let Some(mut site) = Site::set() else { return };
    let stop = AtomicBool::new(false);
    let load = Load::of(&site, &stop);
    let mut kills = 0;
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&stop);
        load.start(scope);
        let end = Instant::now() + length();
        let mut random = Random::new(0);
        while Instant::now() < end && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(
                part_of(PAUSE, &mut random).min(end.saturating_duration_since(Instant::now())),
            );
            site.kill_one(random.below(5));
            kills += 1;
        }
        stop.store(true, Ordering::SeqCst);
    });
    println!("{kills} kills; {}", load.report());
    load.check();
    site.restart();
    remains::check(&mut site);
}

/// More than nothing of `most`.
fn part_of(most: Duration, random: &mut Random) -> Duration {
    most.mul_f64((1 + random.below(1000)) as f64 / 1000.0)
}

/// Ends the other threads when one of them panics: they would run on until the end.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
