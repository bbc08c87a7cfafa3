//! A clock that is set back, and a clock that stands still.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1::BackupState;
use strongroom_testkit::ManualClock;

use crate::support::stored::{KINDS, Stored};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2026-11-29.
const TODAY: i64 = 1_796_000_000_000_000;
/// Longer than the interval between purge checks.
const LOOKED: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_deletes_nothing_too_early_and_no_name_collides() {
    for kind in KINDS {
        let clock = ManualClock::at(TODAY);
        let stored = Stored::start(kind, "delete_delay_hours = 1").await;
        let mut stored = stored.by_clock(Arc::new(clock.clone())).await;
        let (deleted, first) = (stored.available().await, stored.available().await);
        stored.delete(&deleted.id).await.unwrap();
        let purge = stored.get(&deleted.id).await.unwrap().purge_time.unwrap();

        clock.set(TODAY - DAY.as_micros() as i64);
        let (second, third) = (stored.available().await, stored.available().await);
        let late = stored.delete(&third.id).await.unwrap();
        assert_eq!(late.purge_time.unwrap().seconds - late.delete_time.unwrap().seconds, 3600);
        let listed = stored.list().await;
        let times: Vec<i64> = listed.iter().map(|backup| backup.create_time.unwrap().seconds).collect();
        assert!(times.iter().rev().is_sorted(), "newest first: {times:?}");
        for name in ["id", "key"] {
            let names: HashSet<&str> = listed
                .iter()
                .map(|backup| if name == "id" { &*backup.id } else { &*backup.copies[0].key })
                .collect();
            assert_eq!(names.len(), 4, "{name}: {names:?}");
        }

        clock.advance(Duration::from_secs(3599));
        tokio::time::sleep(LOOKED).await;
        for id in [&deleted.id, &third.id] {
            assert_eq!(stored.get(id).await.unwrap().state(), BackupState::Deleted);
        }
        clock.advance(Duration::from_secs(1));
        stored.until_gone(&third.id).await;
        let kept = stored.get(&deleted.id).await.unwrap();
        assert_eq!((kept.state(), kept.purge_time), (BackupState::Deleted, Some(purge)));
        clock.set(TODAY + 3_600_000_000);
        stored.until_gone(&deleted.id).await;
        for backup in [first, second] {
            stored.download(&backup.id).await.unwrap();
        }
        assert_eq!(stored.files().len(), 4);
    }
}
