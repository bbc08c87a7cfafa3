//! Tests of dying processes, as in `dying.rs`, with real databases and in real time.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;
use strongroom_testkit::{ManualClock, TestDb};
use tokio::time::timeout;

use super::TestHeir;
use crate::membership::Membership;
use crate::store::{Processes, open};

/// Long enough for a machine that is busy with other tests.
const PERIOD: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_dead_process_is_inherited_from_on_both_engines() {
    for database in TestDb::each() {
        let store: Arc<dyn Processes> = open(&database.url()).await.unwrap();
        let join = async || {
            let clock = Arc::new(ManualClock::default());
            Membership::join_with(Arc::clone(&store), "host".into(), clock, PERIOD).await.unwrap()
        };
        let (dying, living) = (join().await, join().await);
        let dead = dying.current().id.clone();
        drop(dying);
        let (heir, shutdown) = (TestHeir::create(Arc::clone(&store)), Shutdown::new());
        let inherited = async {
            let (_, id, _) = heir.wait().await;
            shutdown.begin();
            id
        };
        let run = async { tokio::join!(living.run(&heir, &shutdown), inherited).1 };
        assert_eq!(timeout(60 * PERIOD, run).await.unwrap(), dead);
        living.leave().await;
    }
}
