//! Which processes are taken over, when, and by which heir.

use tokio::time::{Instant, sleep};

use super::fake::{Shared, add_operation, ids};
use super::{HEARTBEAT, Running, SECOND};

#[tokio::test(start_paused = true)]
async fn no_process_that_lives_is_taken_over_whatever_its_wall_clock_says() {
    let database = Shared::default();
    let running =
        [Running::start(&database).await, Running::start(&database).await, Running::start(&database).await];
    let before = running.each_ref().map(Running::id);
    sleep(60 * SECOND).await;
    running[0].clock.set(0);
    running[1].clock.advance(1_000_000 * SECOND);
    sleep(600 * SECOND).await;
    assert_eq!(running.each_ref().map(Running::id), before);
    assert!(running.iter().all(|process| !process.is_lost() && process.heir.next().is_none()));
    assert_eq!(ids(&database).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dead_process_is_inherited_from_within_two_heartbeats() {
    let database = Shared::default();
    let (first, second) = (Running::start(&database).await, Running::start(&database).await);
    let operation = add_operation(&database, &first.id());
    sleep(4 * HEARTBEAT + SECOND).await;
    let last_beat = Instant::now() - SECOND;
    let dead = first.kill().await;
    let (at, id, operations) = second.heir.wait().await;
    assert!(at - last_beat >= 2 * HEARTBEAT);
    assert!(at - last_beat <= 2 * HEARTBEAT + 2 * SECOND, "{:?}", at - last_beat);
    let taken = crate::store::OperationRow { fence: 2, ..operation };
    assert_eq!((id, operations), (dead, vec![taken]));
    sleep(SECOND).await;
    assert_eq!(ids(&database), [second.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_lone_process_inherits_from_the_one_before_it() {
    let database = Shared::default();
    let dead = Running::start(&database).await.kill().await;
    let next = Running::start(&database).await;
    let (_, id, operations) = next.heir.wait().await;
    assert_eq!((id, operations), (dead, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn one_of_several_inherits() {
    let database = Shared::default();
    let dead = Running::start(&database).await;
    let others = [Running::start(&database).await, Running::start(&database).await];
    dead.kill().await;
    sleep(6 * HEARTBEAT).await;
    let inherited = others.iter().filter(|other| other.heir.next().is_some()).count();
    assert_eq!(inherited, 1);
}

#[tokio::test(start_paused = true)]
async fn an_heir_that_fails_tries_again_at_each_heartbeat() {
    let database = Shared::default();
    let (first, second) = (Running::start(&database).await, Running::start(&database).await);
    add_operation(&database, &first.id());
    *second.heir.failures.lock().unwrap() = 2;
    let dead = first.kill().await;
    let tries = [second.heir.wait().await, second.heir.wait().await, second.heir.wait().await];
    for (at, pair) in tries.windows(2).enumerate() {
        let between = pair[1].0 - pair[0].0;
        assert!(between >= HEARTBEAT && between <= HEARTBEAT + SECOND, "{at}: {between:?}");
    }
    assert!(tries.iter().all(|(_, id, operations)| *id == dead && operations.len() == 1));
    sleep(4 * HEARTBEAT).await;
    assert!(second.heir.next().is_none(), "it has succeeded");
    assert_eq!(ids(&database), [second.id()]);
}

#[tokio::test(start_paused = true)]
async fn what_an_heir_has_not_ended_its_own_heir_ends() {
    let database = Shared::default();
    let (first, second) = (Running::start(&database).await, Running::start(&database).await);
    add_operation(&database, &first.id());
    *second.heir.failures.lock().unwrap() = usize::MAX;
    let dead = first.kill().await;
    second.heir.wait().await;
    let third = Running::start(&database).await;
    let heir = second.kill().await;
    let (_, id, operations) = third.heir.wait().await;
    assert_eq!((id, operations), (heir, Vec::new()));
    let (_, id, operations) = third.heir.wait().await;
    assert_eq!((id, operations[0].fence), (dead, 3));
    sleep(SECOND).await;
    assert_eq!(ids(&database), [third.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stops_lives_until_it_leaves() {
    let database = Shared::default();
    let (stopping, other) = (Running::start(&database).await, Running::start(&database).await);
    stopping.shutdown.begin();
    sleep(20 * SECOND).await;
    assert!(!stopping.is_lost());
    assert!(other.heir.next().is_none());
    stopping.membership.leave().await;
    assert_eq!(ids(&database), [other.id()]);
    sleep(6 * HEARTBEAT).await;
    assert!(other.heir.next().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_process_has_not_ended_when_it_leaves_another_one_inherits() {
    let database = Shared::default();
    let (leaving, other) = (Running::start(&database).await, Running::start(&database).await);
    add_operation(&database, &leaving.id());
    leaving.shutdown.begin();
    leaving.membership.leave().await;
    let (_, id, operations) = other.heir.wait().await;
    assert_eq!((id, operations.len()), (leaving.id(), 1));
}
