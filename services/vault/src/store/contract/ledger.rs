//! `LedgerStore`.

use strongroom_crypto::State;

use super::key::{ring, version};
use super::{credential, event, events, stores};
use crate::store::columns;
use crate::store::{ArchiveNeeds, CensusRow, CredentialRow, Needs, PinRow, StateChange, Store};

fn reported(column: &str, kid: &str, value_count: i64) -> CensusRow {
    CensusRow {
        source: "gateway".into(),
        column_name: column.into(),
        key_id: "gateway".into(),
        kid: kid.into(),
        value_count,
        time: 5,
    }
}

#[tokio::test]
async fn our_own_values_are_counted_by_version() {
    for (_database, store) in stores().await {
        let event = event("credential.created");
        for (number, kid) in [(1, "aaaaaaaaaaaaaaaa"), (2, "bbbbbbbbbbbbbbbb"), (3, "aaaaaaaaaaaaaaaa")] {
            let row = CredentialRow { secret: format!("srv1.{kid}.x"), ..credential(number, "openai") };
            store.create_credential(&row, &Default::default(), &event).await.unwrap();
        }
        let counted = columns::counted("credential");
        let counts = store.count_values(&counted[0]).await.unwrap();
        assert_eq!(counts, [("aaaaaaaaaaaaaaaa".into(), 2), ("bbbbbbbbbbbbbbbb".into(), 1)]);
        let needs = store.needs("aaaaaaaaaaaaaaaa", &counted, 0).await.unwrap();
        assert_eq!(needs, Needs { rows: 2, ..Needs::default() });
        assert!(store.needs("cccccccccccccccc", &counted, 0).await.unwrap().is_none());
        for column in columns::counted("") {
            store.count_values(&column).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_report_replaces_the_columns_earlier_one() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.census_reported");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        store.report_census(&[reported("t.a", "01", 7), reported("t.a", "02", 1)], &event).await.unwrap();
        store.report_census(&[reported("t.b", "01", 3)], &event).await.unwrap();
        assert_eq!(store.needs("01", &[], 0).await.unwrap().columns, 2);
        store.report_census(&[reported("t.a", "01", 0), reported("t.a", "02", 8)], &event).await.unwrap();
        let expected = [reported("t.a", "01", 0), reported("t.a", "02", 8), reported("t.b", "01", 3)];
        assert_eq!(store.census().await.unwrap(), expected);
        assert_eq!(store.needs("01", &[], 0).await.unwrap().columns, 1, "a column of none needs nothing");
        assert_eq!(events(store.as_ref()).await.len(), 5);
    }
}

#[tokio::test]
async fn pins_hold_until_they_lapse_or_are_released() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.pinned");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        let pinned = store.pin_live_versions("a", 100, 1, &event).await.unwrap();
        assert_eq!(pinned, [("01".into(), "gateway".into()), ("02".into(), "gateway".into())]);
        assert_eq!(store.pin_live_versions("a", 200, 1, &event).await.unwrap(), pinned, "once more renews");
        let pin = |kid: &str, expire_time| PinRow { archive_id: "a".into(), kid: kid.into(), expire_time };
        assert_eq!(store.pins(199).await.unwrap(), [pin("01", Some(200)), pin("02", Some(200))]);
        assert_eq!(store.pins(200).await.unwrap(), []);
        let needs = ArchiveNeeds { kids: vec!["02".into()], expire_time: None };
        store.narrow_pins("a", &needs, &event).await.unwrap();
        assert_eq!(store.pins(i64::MAX).await.unwrap(), [pin("02", None)]);
        let archives = async |kid| store.needs(kid, &[], 1_000).await.unwrap().archives;
        assert_eq!((archives("01").await, archives("02").await), (0, 1));
        store.pin_live_versions("b", 2_000, 1_000, &event).await.unwrap();
        assert_eq!(archives("02").await, 2);
        assert!(store.release_pins("a", &event).await.unwrap());
        assert!(!store.release_pins("a", &event).await.unwrap());
        assert_eq!(archives("02").await, 1);
        let lapsing = ArchiveNeeds { kids: vec!["01".into(), "02".into()], expire_time: Some(2_500) };
        store.narrow_pins("c", &lapsing, &event).await.unwrap();
        assert_eq!(store.pin_live_versions("c", 4_000, 3_000, &event).await.unwrap().len(), 2);
        assert_eq!(store.pins(3_000).await.unwrap().len(), 2, "what has lapsed holds nothing");
    }
}

/// The backup service asserts the pins of each stored archive whenever it starts.
#[tokio::test]
async fn pins_that_are_so_already_are_not_written_again() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.pins_narrowed");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        let narrowed = async |kids: &[&str], expire_time| {
            let before = events(store.as_ref()).await.len();
            let kids = kids.iter().map(|kid| (*kid).to_owned()).collect();
            store.narrow_pins("a", &ArchiveNeeds { kids, expire_time }, &event).await.unwrap();
            events(store.as_ref()).await.len() > before
        };
        assert!(narrowed(&["01", "0f"], None).await, "the first time");
        for same in [&["01", "0f"][..], &["0f", "01"], &["01", "01", "0f"]] {
            assert!(!narrowed(same, None).await, "{same:?}");
        }
        for (other, expire_time) in [
            (&["01", "02", "0f"][..], None),
            (&["01", "0f"], None),
            (&["01"], None),
            (&["01"], Some(500)),
            (&["01"], None),
            (&[], None),
            (&["01", "02"], None),
        ] {
            assert!(narrowed(other, expire_time).await, "{other:?} until {expire_time:?}");
        }
        assert_eq!(store.pins(0).await.unwrap().len(), 2, "as it was said last");

        store.release_pins("a", &event).await.unwrap();
        store.pin_live_versions("a", 2_000, 1_000, &event).await.unwrap();
        assert!(narrowed(&["01", "02"], Some(2_000)).await, "pins of an archive that is being made are open");
    }
}

#[tokio::test]
async fn a_destroyed_version_is_no_reason_to_write_pins_again() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.any");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        destroy(store.as_ref(), "01").await;
        let needs = ArchiveNeeds { kids: vec!["01".into(), "02".into()], expire_time: None };
        store.narrow_pins("a", &needs, &event).await.unwrap();
        let before = events(store.as_ref()).await;
        store.narrow_pins("a", &needs, &event).await.unwrap();
        assert_eq!(events(store.as_ref()).await, before);
        assert_eq!(store.pins(0).await.unwrap().len(), 1);
    }
}

async fn destroy(store: &dyn Store, kid: &str) {
    let steps = [(State::DecryptOnly, State::Disabled), (State::Disabled, State::Scheduled)];
    for (from, to) in steps {
        let step = StateChange { kid: kid.into(), from, to, destroy_time: Some(5), request_id: None, now: 1 };
        assert!(store.set_key_state(&step, &event("key.any")).await.unwrap());
    }
    assert!(store.destroy_key_version(kid, 5, &event("key.any")).await.unwrap());
}
