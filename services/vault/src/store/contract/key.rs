//! `KeyStore`.

use strongroom_crypto::{Purpose, State};

use super::{event, events, stores};
use crate::store::{ArchiveNeeds, KeyVersionRow, NewVersion, RootKeyRow, StateChange, Store};

fn root(id: &str) -> RootKeyRow {
    RootKeyRow { id: id.into(), check_value: vec![1, 2, 3], create_time: 5 }
}

pub(super) fn version(kid: &str, key_id: &str) -> KeyVersionRow {
    KeyVersionRow {
        kid: kid.into(),
        key_id: key_id.into(),
        purpose: Purpose::Credential,
        number: 1,
        state: State::Primary,
        root_key_id: "aa".into(),
        wrapped: "srk1.x".into(),
        create_time: 5,
        state_time: 5,
        import_time: None,
        destroy_time: None,
        destroy_approved: false,
    }
}

#[tokio::test]
async fn a_ring_is_created_once() {
    for (_database, store) in stores().await {
        assert!(store.root_keys().await.unwrap().is_empty());
        let versions = [version("02", "page"), version("01", "credential")];
        assert!(store.create_ring(&root("aa"), "d", &versions, &event("key.ring_created")).await.unwrap());
        assert!(!store.create_ring(&root("bb"), "d", &[], &event("key.ring_created")).await.unwrap());
        let roots = store.root_keys().await.unwrap();
        assert_eq!((roots.len(), roots[0].check_value.as_slice()), (1, [1, 2, 3].as_slice()));
        let kids: Vec<_> = store.key_versions().await.unwrap().into_iter().map(|row| row.kid).collect();
        assert_eq!(kids, ["01", "02"], "by key, then number");
        assert_eq!(events(store.as_ref()).await, ["key.ring_created"]);
    }
}

#[tokio::test]
async fn of_two_first_starts_one_creates_the_ring() {
    for (_database, store) in stores().await {
        let (first, second) = (root("aa"), root("bb"));
        let (one, two) = ([version("01", "credential")], [version("02", "credential")]);
        let event = event("key.ring_created");
        let (a, b) = tokio::join!(
            store.create_ring(&first, "d", &one, &event),
            store.create_ring(&second, "d", &two, &event)
        );
        assert_ne!(a.unwrap(), b.unwrap());
        assert_eq!(store.root_keys().await.unwrap().len(), 1);
    }
}

/// A ring with one key, `gateway`, whose version `01` is primary.
pub(super) async fn ring(store: &dyn Store) {
    let versions = [version("01", "gateway")];
    assert!(store.create_ring(&root("aa"), "d", &versions, &event("key.ring_created")).await.unwrap());
}

async fn states(store: &dyn Store) -> Vec<(String, i64, State)> {
    let rows = store.key_versions().await.unwrap();
    rows.into_iter().map(|row| (row.kid, row.number, row.state)).collect()
}

fn step(kid: &str, from: State, to: State) -> StateChange {
    StateChange { kid: kid.into(), from, to, destroy_time: None, request_id: None, now: 10 }
}

#[tokio::test]
async fn a_key_is_created_once_and_under_the_newest_root_key() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let revision = store.ring_revision().await.unwrap();
        let event = event("key.created");
        let foreign = KeyVersionRow { root_key_id: "bb".into(), ..version("02", "other") };
        assert_eq!(store.create_key(&foreign, &event).await.unwrap(), NewVersion::OtherRoot);
        let taken = version("02", "gateway");
        assert_eq!(store.create_key(&taken, &event).await.unwrap(), NewVersion::KeyExists);
        assert_eq!(store.ring_revision().await.unwrap(), revision);
        assert_eq!(store.create_key(&version("02", "other"), &event).await.unwrap(), NewVersion::Done);
        assert_eq!(store.ring_revision().await.unwrap(), revision + 1);
        assert_eq!(events(store.as_ref()).await, ["key.ring_created", "key.created"]);
    }
}

#[tokio::test]
async fn a_rotation_leaves_one_primary_version() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.rotated");
        let foreign = KeyVersionRow { root_key_id: "bb".into(), ..version("02", "gateway") };
        assert_eq!(store.rotate_key(&foreign, &event).await.unwrap(), NewVersion::OtherRoot);
        let unknown = version("02", "unknown");
        assert_eq!(store.rotate_key(&unknown, &event).await.unwrap(), NewVersion::KeyMissing);
        let (two, three) = (version("02", "gateway"), version("03", "gateway"));
        let (a, b) = tokio::join!(store.rotate_key(&two, &event), store.rotate_key(&three, &event));
        assert_eq!((a.unwrap(), b.unwrap()), (NewVersion::Done, NewVersion::Done));
        let found = states(store.as_ref()).await;
        let states: Vec<_> = found.iter().map(|(_, number, state)| (*number, state.as_str())).collect();
        assert_eq!(states, [(1, "decrypt-only"), (2, "decrypt-only"), (3, "primary")]);
        assert_eq!(store.ring_revision().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_step_begins_from_its_state() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.version_disabled");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        let revision = store.ring_revision().await.unwrap();
        assert!(
            !store.set_key_state(&step("02", State::DecryptOnly, State::Disabled), &event).await.unwrap()
        );
        assert!(
            !store.set_key_state(&step("09", State::DecryptOnly, State::Disabled), &event).await.unwrap()
        );
        assert_eq!(store.ring_revision().await.unwrap(), revision);
        assert!(store.set_key_state(&step("01", State::DecryptOnly, State::Disabled), &event).await.unwrap());
        assert_eq!(states(store.as_ref()).await[0].2, State::Disabled);
        assert_eq!(store.ring_revision().await.unwrap(), revision + 1);
        assert_eq!(events(store.as_ref()).await.len(), 3);
    }
}

#[tokio::test]
async fn a_pinned_version_stays_in_use() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.any");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        let needs = ArchiveNeeds { kids: vec!["01".into()], expire_time: Some(11) };
        store.narrow_pins("archive", &needs, &event).await.unwrap();
        let disable = step("01", State::DecryptOnly, State::Disabled);
        assert!(!store.set_key_state(&disable, &event).await.unwrap());
        assert!(store.set_key_state(&StateChange { now: 11, ..disable }, &event).await.unwrap(), "lapsed");
    }
}

#[tokio::test]
async fn what_is_due_is_destroyed() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.any");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        store.set_key_state(&step("01", State::DecryptOnly, State::Disabled), &event).await.unwrap();
        assert!(!store.destroy_key_version("01", 1_000, &event).await.unwrap(), "only a scheduled one");
        let schedule =
            StateChange { destroy_time: Some(100), ..step("01", State::Disabled, State::Scheduled) };
        assert!(store.set_key_state(&schedule, &event).await.unwrap());
        assert!(!store.destroy_key_version("01", 99, &event).await.unwrap());
        assert!(store.destroy_key_version("01", 100, &event).await.unwrap());
        assert!(!store.destroy_key_version("01", 100, &event).await.unwrap(), "once");
        let row = store.key_versions().await.unwrap().swap_remove(0);
        assert_eq!(
            (row.state.as_str(), row.wrapped.as_str(), row.destroy_time),
            ("destroyed", "", Some(100))
        );
    }
}

#[tokio::test]
async fn a_root_key_change_takes_every_version_or_none() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.root_changed");
        let rewrapped = [KeyVersionRow {
            root_key_id: "bb".into(),
            wrapped: "srk1.y".into(),
            ..version("01", "gateway")
        }];
        let new = RootKeyRow { create_time: 6, ..root("bb") };
        assert!(!store.change_root_key("cc", &new, &rewrapped, &event).await.unwrap(), "another is newest");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        assert!(!store.change_root_key("aa", &new, &rewrapped, &event).await.unwrap(), "one is missing");
        assert!(store.key_versions().await.unwrap().iter().all(|row| row.root_key_id == "aa"));
        let missing =
            KeyVersionRow { root_key_id: "bb".into(), wrapped: "srk1.z".into(), ..version("02", "gateway") };
        let [first] = rewrapped;
        assert!(store.change_root_key("aa", &new, &[first, missing], &event).await.unwrap());
        let wrapped: Vec<_> = store
            .key_versions()
            .await
            .unwrap()
            .into_iter()
            .map(|row| (row.root_key_id, row.wrapped))
            .collect();
        assert_eq!(wrapped, [("bb".into(), "srk1.y".into()), ("bb".into(), "srk1.z".into())]);
        assert_eq!(store.root_keys().await.unwrap().last().unwrap().id, "bb");
        // And back: the earlier root key is the newest again.
        let back = [version("01", "gateway"), version("02", "gateway")];
        let old = RootKeyRow { create_time: 7, ..root("aa") };
        assert!(store.change_root_key("bb", &old, &back, &event).await.unwrap());
        assert_eq!(store.root_keys().await.unwrap().last().unwrap().id, "aa");
    }
}
