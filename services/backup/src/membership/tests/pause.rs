//! A process that is paused, as by SIGSTOP, and does not know it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use strongroom_testkit::ManualClock;
use tokio::time::{advance, sleep};

use super::fake::{Fake, Shared};
use super::{HEARTBEAT, Running, SECOND};
use crate::membership::heartbeat::Heartbeat;

/// A process that sends heartbeats for a while, pauses for `pause`, and continues. Returns its ids before and after,
/// and whether the first one was lost.
async fn paused(database: &Shared, pause: Duration) -> (String, String, bool) {
    let connection = Arc::new(Fake::connect(database));
    let clock = Arc::new(ManualClock::default());
    let (heartbeat, joined) = Heartbeat::begin(connection, "paused".into(), clock, HEARTBEAT).await.unwrap();
    let before = heartbeat.current();
    let mut beating = pin!(heartbeat.keep_beating(joined));
    let awake = async |beating: &mut std::pin::Pin<&mut _>, time| {
        tokio::select! {
            () = beating => unreachable!("it goes on for ever"),
            () = sleep(time) => {}
        }
    };
    awake(&mut beating, 4 * HEARTBEAT).await;
    sleep(pause).await;
    awake(&mut beating, SECOND).await;
    (before.id.clone(), heartbeat.current().id.clone(), before.lost.is_cancelled())
}

#[tokio::test(start_paused = true)]
async fn a_process_that_wakes_after_it_was_taken_over_loses_its_operations_and_gets_a_new_id() {
    let database = Shared::default();
    let other = Running::start(&database).await;
    let (before, after, is_lost) = paused(&database, 60 * SECOND).await;
    assert!(is_lost);
    assert_ne!(before, after);
    assert_eq!(other.heir.next().unwrap().1, before);
    assert!(!other.is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_wakes_before_anybody_took_it_over_goes_on() {
    let database = Shared::default();
    let (before, after, is_lost) = paused(&database, 60 * SECOND).await;
    assert!(!is_lost);
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn nobody_dies_when_all_stand_still_together() {
    let database = Shared::default();
    let running = [Running::start(&database).await, Running::start(&database).await];
    let before = running.each_ref().map(Running::id);
    sleep(3 * HEARTBEAT + 3 * SECOND).await;
    advance(60 * SECOND).await;
    sleep(60 * SECOND).await;
    assert_eq!(running.each_ref().map(Running::id), before);
    assert!(running.iter().all(|process| process.heir.next().is_none()));
}
