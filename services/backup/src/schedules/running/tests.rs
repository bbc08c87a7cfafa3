//! A year of three replicas that die, stop and wake: each run happens once, or is made up for by one other run.
//!
//! Time is virtual, and jumps from one event to the next: a start, an end, a fault. Everything else is real: the
//! database, and the replicas' work in it. Faults come from a seed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod model;
mod world;

use strongroom_testkit::TestDb;

use super::*;
use crate::store::open;
use model::check;
use world::World;

const HOUR: i64 = 3600 * 1_000_000;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01.
const BEGIN: i64 = 1_767_225_600_000_000;

/// In Berlin and New York, 02:30 is skipped once a year, and Berlin repeats it once a year. In Lord Howe the clock is set
/// forward from 02:00 to 02:30. In Santiago it changes at midnight.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"];

#[tokio::test(flavor = "multi_thread")]
async fn over_a_year_every_run_happens_once_or_is_made_up_for_once() {
    let days = if std::env::var_os("STRONGROOM_LONG").is_some() { 730 } else { 365 };
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let mut world = World::new(store, 0x5eed).await;
        for zone in ZONES {
            world.schedule(zone, "30 2 * * *", 20 * 60 * 1_000_000).await;
        }
        world.schedule("UTC", "7 */8 * * *", 0).await;
        world.live_until(BEGIN + days * DAY).await;
        let counted = check(&world).await;
        assert!(counted.made > 1500 && counted.missed > 10 && counted.made_up > 3, "{counted:?}");
        assert!(counted.refused > 3, "stale replicas were to try: {counted:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_run_twice() {
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let mut world = World::new(store, 1).await;
        world.schedule("UTC", "0 3 * * *", 0).await;
        world.quiet_until(BEGIN + 3 * DAY + 4 * HOUR).await;
        let before = world.runs().await.len();
        world.set_back(DAY);
        world.quiet_until(BEGIN + 3 * DAY + 5 * HOUR).await;
        assert_eq!(world.runs().await.len(), before, "nothing is due before the time that it waits for");
        world.quiet_until(BEGIN + 4 * DAY + 4 * HOUR).await;
        assert_eq!(world.runs().await.len(), before + 1);
    }
}

#[tokio::test]
async fn a_due_time_that_has_its_backup_does_not_hold_the_schedule_up() {
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let mut world = World::new(store, 4).await;
        world.schedule("UTC", "0 3 * * *", 0).await;
        world.quiet_until(BEGIN + DAY).await;
        // It is deleted, the clock is set back, and it is created again.
        let before = world.store.schedule("s0").await.unwrap().unwrap();
        assert!(world.store.remove_schedule("s0", before.revision).await.unwrap());
        world.set_back(DAY);
        world.schedule("UTC", "0 3 * * *", 0).await;
        world.quiet_until(BEGIN + 4 * HOUR).await;
        let after = world.store.schedule("s0").await.unwrap().unwrap();
        assert_eq!((after.due_time, &*after.reason), (BEGIN + DAY + 3 * HOUR, ""));
        world.quiet_until(BEGIN + 2 * DAY).await;
        assert_eq!(world.runs().await.len(), 2);
    }
}

#[tokio::test]
async fn a_run_that_is_due_while_one_goes_on_is_recorded_and_not_made() {
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let mut world = World::new(store, 2).await;
        world.lengths = DAY + HOUR..DAY + HOUR + 1;
        world.schedule("UTC", "0 3 * * *", 0).await;
        world.quiet_until(BEGIN + 4 * DAY).await;
        let runs = world.runs().await;
        let ends: Vec<&str> = runs.iter().map(|run| run.reason.as_str()).collect();
        assert_eq!(ends, ["", "RUN_OVERLAP", "", "RUN_OVERLAP"]);
        assert!(runs[1].problem.contains(&runs[0].id), "{}", runs[1].problem);
    }
}

#[tokio::test]
async fn a_run_that_cannot_begin_is_tried_until_the_next_is_due_and_then_recorded() {
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        let mut world = World::new(store, 3).await;
        world.schedule("UTC", "0 3 * * *", 0).await;
        world.away = BEGIN + 3 * HOUR..BEGIN + 27 * HOUR + 30 * 60 * 1_000_000;
        world.quiet_until(BEGIN + 4 * HOUR).await;
        let waiting = world.store.schedule("s0").await.unwrap().unwrap();
        assert_eq!((&*waiting.reason, waiting.due_time), ("DEFECT", BEGIN + 3 * HOUR));
        world.quiet_until(BEGIN + 2 * DAY).await;
        let runs = world.runs().await;
        let ends: Vec<_> =
            runs.iter().map(|run| (run.due_time.unwrap() - BEGIN, run.reason.as_str())).collect();
        assert_eq!(ends, [(3 * HOUR, "DEFECT"), (27 * HOUR, "")]);
        let begun = runs[1].create_time - BEGIN;
        assert!((27 * HOUR + HOUR / 2..28 * HOUR).contains(&begun), "it begins as soon as it can");
    }
}
