//! A database that does not answer.

use tokio::time::{Instant, sleep, timeout};

use super::fake::{Line, Shared, add_operation, ids};
use super::{HEARTBEAT, Running, SECOND};

#[tokio::test(start_paused = true)]
async fn a_short_outage_changes_nothing() {
    let database = Shared::default();
    let running = [Running::start(&database).await, Running::start(&database).await];
    let before = running.each_ref().map(Running::id);
    sleep(3 * HEARTBEAT - SECOND / 2).await;
    running.iter().for_each(|process| process.connection.set(Line::Refuses));
    sleep(4 * SECOND).await;
    running.iter().for_each(|process| process.connection.set(Line::Works));
    sleep(10 * HEARTBEAT).await;
    assert_eq!(running.each_ref().map(Running::id), before);
    assert!(running.iter().all(|process| process.heir.next().is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_process_without_a_database_stops_its_operations_after_two_heartbeats_and_joins_again() {
    for line in [Line::Refuses, Line::Hangs] {
        let database = Shared::default();
        let running = Running::start(&database).await;
        sleep(3 * HEARTBEAT + SECOND).await;
        let last_beat = Instant::now() - SECOND;
        running.connection.set(line);
        let before = running.membership.current();
        before.lost.cancelled().await;
        assert!(last_beat.elapsed().abs_diff(2 * HEARTBEAT) < SECOND / 10, "{:?}", last_beat.elapsed());
        sleep(10 * HEARTBEAT).await;
        assert!(running.is_lost(), "there is no database to join again");
        running.connection.set(Line::Works);
        sleep(HEARTBEAT + SECOND).await;
        assert!(!running.is_lost());
        assert_ne!(running.id(), before.id);
        let (_, id, _) = running.heir.wait().await;
        assert_eq!(id, before.id, "it inherits from itself");
        sleep(SECOND).await;
        assert_eq!(ids(&database), [running.id()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_cut_off_stops_its_operations_before_another_one_inherits_them() {
    for line in [Line::Refuses, Line::Hangs] {
        let database = Shared::default();
        let (cut_off, other) = (Running::start(&database).await, Running::start(&database).await);
        sleep(3 * HEARTBEAT + 3 * SECOND).await;
        add_operation(&database, &cut_off.id());
        let before = cut_off.membership.current();
        cut_off.connection.set(line);
        let stopped = async {
            before.lost.cancelled().await;
            Instant::now()
        };
        let (stopped, (inherited, id, _)) = tokio::join!(stopped, other.heir.wait());
        assert!(stopped <= inherited);
        assert_eq!(id, before.id);
        cut_off.connection.set(Line::Works);
        sleep(HEARTBEAT + SECOND).await;
        assert_ne!(cut_off.id(), before.id);
        assert!(!cut_off.is_lost());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_common_outage_no_returning_process_counts_as_dead() {
    let database = Shared::default();
    let running = [Running::start(&database).await, Running::start(&database).await];
    sleep(3 * HEARTBEAT).await;
    running.iter().for_each(|process| process.connection.set(Line::Refuses));
    sleep(60 * SECOND).await;
    running.iter().for_each(|process| process.connection.set(Line::Works));
    sleep(2 * SECOND).await;
    let after = running.each_ref().map(Running::id);
    sleep(60 * SECOND).await;
    assert_eq!(running.each_ref().map(Running::id), after);
    assert_eq!(ids(&database).len(), 2, "the old memberships were taken over");
}

#[tokio::test(start_paused = true)]
async fn leaving_does_not_wait_for_a_database_that_hangs() {
    let database = Shared::default();
    let running = Running::start(&database).await;
    running.connection.set(Line::Hangs);
    timeout(HEARTBEAT + SECOND, running.membership.leave()).await.unwrap();
}
