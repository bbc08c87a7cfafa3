//! `KeyRequestStore`.

use strongroom_crypto::State;

use super::key::{ring, version};
use super::{event, events, stores};
use crate::store::{ArchiveNeeds, KeyApproval, KeyRequestRow, RetirementAction, StateChange};

fn request(id: &str, create_time: i64) -> KeyRequestRow {
    KeyRequestRow {
        id: id.into(),
        kid: "01".into(),
        action: RetirementAction::Disable,
        requester: "token:a".into(),
        requester_person: "p1".into(),
        approver: String::new(),
        approver_person: String::new(),
        create_time,
        expire_time: create_time + 100,
        consume_time: None,
    }
}

fn approval(approver: &str, now: i64) -> KeyApproval {
    KeyApproval {
        request_id: "r1".into(),
        approver: approver.into(),
        person: format!("person of {approver}"),
        now,
        ..KeyApproval::default()
    }
}

#[tokio::test]
async fn an_open_request_is_found_again_until_it_lapses() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.request_opened");
        assert_eq!(store.open_key_request(&request("r1", 1), &event).await.unwrap().id, "r1");
        assert_eq!(store.open_key_request(&request("r2", 2), &event).await.unwrap().id, "r1");
        let other = KeyRequestRow { requester_person: "p2".into(), ..request("r3", 3) };
        assert_eq!(store.open_key_request(&other, &event).await.unwrap().id, "r3");
        let ids = async |now| {
            let open = store.open_key_requests(now).await.unwrap();
            open.into_iter().map(|request| request.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(3).await, ["r3", "r1"], "newest first");
        assert_eq!(ids(101).await, ["r3"]);
        assert_eq!(store.open_key_request(&request("r4", 101), &event).await.unwrap().id, "r4");
        assert_eq!(store.key_request("r4").await.unwrap(), Some(request("r4", 101)));
        assert_eq!(store.key_request("none").await.unwrap(), None);
        assert_eq!(events(store.as_ref()).await.len(), 4, "one for each that was opened");
    }
}

#[tokio::test]
async fn an_approval_lets_one_step_through() {
    for (_database, store) in stores().await {
        ring(store.as_ref()).await;
        let event = event("key.any");
        store.rotate_key(&version("02", "gateway"), &event).await.unwrap();
        let needs = ArchiveNeeds { kids: vec!["01".into()], expire_time: None };
        store.narrow_pins("archive", &needs, &event).await.unwrap();
        store.open_key_request(&request("r1", 1), &event).await.unwrap();
        let disable = StateChange {
            kid: "01".into(),
            from: State::DecryptOnly,
            to: State::Disabled,
            destroy_time: None,
            request_id: Some("r1".into()),
            now: 5,
        };
        assert!(!store.set_key_state(&disable, &event).await.unwrap(), "not approved");
        assert!(!store.approve_key_request(&approval("token:b", 101), &event).await.unwrap(), "lapsed");
        assert!(store.approve_key_request(&approval("token:b", 4), &event).await.unwrap());
        assert!(
            !store.approve_key_request(&approval("token:c", 4), &event).await.unwrap(),
            "approved already"
        );
        let late = StateChange { now: 101, ..disable.clone() };
        assert!(!store.set_key_state(&late, &event).await.unwrap(), "lapsed");
        let elsewhere = StateChange { from: State::Disabled, to: State::Scheduled, ..disable.clone() };
        assert!(!store.set_key_state(&elsewhere, &event).await.unwrap());
        assert_eq!(store.key_request("r1").await.unwrap().unwrap().consume_time, None, "not used up by that");
        assert!(store.set_key_state(&disable, &event).await.unwrap(), "a pin does not stand in the way");
        assert_eq!(store.key_request("r1").await.unwrap().unwrap().consume_time, Some(5));
        assert!(store.open_key_requests(5).await.unwrap().is_empty());
        assert!(store.key_versions().await.unwrap()[0].destroy_approved);
    }
}
