//! `PersonStore`.

use super::{event, events, stores};
use crate::store::{
    Enrolled, Enrolment, Grounds, PersonAction, PersonApproval, PersonRequestRow, PersonRow, Store, TokenRow,
};

fn person(id: &str, enroller: &str) -> PersonRow {
    PersonRow {
        id: id.into(),
        name: format!("name {id}"),
        create_time: 1,
        remove_time: None,
        enroller: enroller.into(),
    }
}

fn enrolment(id: &str, subject: &str, grounds: Grounds) -> Enrolment {
    Enrolment { person: person(id, "token:admin"), subject: subject.into(), grounds }
}

fn request(id: &str, action: PersonAction, person: &str, subject: &str) -> PersonRequestRow {
    PersonRequestRow {
        id: id.into(),
        action,
        name: "name p3".into(),
        person: person.into(),
        subject: subject.into(),
        subject_hash: String::new(),
        requester: "token:a".into(),
        requester_person: "p1".into(),
        approver: String::new(),
        create_time: 5,
        expire_time: 100,
        consume_time: None,
    }
}

fn approval(request_id: &str, now: i64) -> PersonApproval {
    PersonApproval { request_id: request_id.into(), approver: "token:b".into(), now }
}

async fn issue(store: &dyn Store, id: &str, person: &str) {
    let row = TokenRow { id: id.into(), hash: id.into(), person: person.into(), ..TokenRow::default() };
    store.create_token(&row, &event("token.issued")).await.unwrap();
}

async fn enrol(store: &dyn Store, id: &str, subject: &str, grounds: Grounds) -> Enrolled {
    store.enrol(&enrolment(id, subject, grounds), &event("person.enrolled")).await.unwrap()
}

/// A store with two people: p1 has the token a, and p2 the identity x.
async fn two_people(store: &dyn Store) {
    issue(store, "a", "").await;
    assert_eq!(enrol(store, "p1", "token:a", Grounds::First).await, Enrolled::Done);
    assert_eq!(enrol(store, "p2", "identity:x", Grounds::First).await, Enrolled::Done);
}

async fn ask(store: &dyn Store, row: &PersonRequestRow) -> PersonRequestRow {
    store.open_person_request(row, &event("person.request_opened")).await.unwrap()
}

#[tokio::test]
async fn two_are_the_first_and_no_more() {
    for (database, store) in stores().await {
        let store = store.as_ref();
        two_people(store).await;
        issue(store, "b", "").await;
        assert_eq!(enrol(store, "p3", "token:b", Grounds::First).await, Enrolled::NotFirst);
        assert_eq!(store.people().await.unwrap(), [person("p1", "token:admin"), person("p2", "token:admin")]);
        let token = store.token("a").await.unwrap().unwrap();
        assert_eq!((token.person.as_str(), token.enrolled, token.acts_for()), ("p1", true, None));
        assert_eq!(store.enrolled_tokens().await.unwrap(), [token]);
        assert!(
            store
                .renew_token("a", b"a", &super::token::hashes("new"), &event("token.renewed"))
                .await
                .unwrap()
        );
        assert_eq!(store.token("a").await.unwrap().unwrap().acts_for(), Some("p1"));
        let identity = store.person_identity("identity:x").await.unwrap().unwrap();
        assert_eq!(store.person_identities().await.unwrap(), std::slice::from_ref(&identity));
        assert_eq!(
            (identity.person.as_str(), store.person_identity("identity:y").await.unwrap()),
            ("p2", None)
        );
        database.run("DELETE FROM people");
        assert_eq!(enrol(store, "p3", "token:b", Grounds::First).await, Enrolled::NotFirst, "the log knows");
        database.run("DELETE FROM audit_logs WHERE event = 'person.enrolled'");
        assert_eq!(
            enrol(store, "p3", "token:b", Grounds::First).await,
            Enrolled::NotFirst,
            "events are missing"
        );
    }
}

#[tokio::test]
async fn a_token_or_identity_belongs_to_one_person_and_a_name_too() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        issue(store, "a", "").await;
        assert_eq!(enrol(store, "p1", "token:a", Grounds::First).await, Enrolled::Done);
        let glass = || Grounds::BreakGlass;
        let taken = Enrolled::SubjectTaken("name p1".into());
        assert_eq!(enrol(store, "p2", "token:a", glass()).await, taken);
        assert_eq!(enrol(store, "p2", "token:none", glass()).await, Enrolled::SubjectMissing);
        assert_eq!(enrol(store, "p1", "identity:x", glass()).await, Enrolled::NameTaken);
        issue(store, "b", "p1").await;
        assert_eq!(
            enrol(store, "p2", "token:b", glass()).await,
            Enrolled::Done,
            "it only inherited its person"
        );
        assert_eq!(enrol(store, "p3", "identity:x", glass()).await, Enrolled::NotFirst, "two with one token");
        assert_eq!(store.people().await.unwrap().len(), 2, "a refusal writes nothing");
    }
}

#[tokio::test]
async fn a_request_is_found_again_and_used_once() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        two_people(store).await;
        issue(store, "c", "").await;
        let wanted = request("r1", PersonAction::Enrol, "", "token:c");
        assert_eq!(ask(store, &wanted).await, wanted);
        assert_eq!(ask(store, &PersonRequestRow { id: "r2".into(), ..wanted.clone() }).await, wanted);
        assert_eq!(store.open_person_requests(99).await.unwrap(), std::slice::from_ref(&wanted));
        assert!(store.open_person_requests(100).await.unwrap().is_empty());
        let approved = |now| Grounds::Approved(approval("r1", now));
        assert_eq!(enrol(store, "p3", "token:c", approved(100)).await, Enrolled::Closed, "lapsed");
        assert_eq!(enrol(store, "p3", "token:c", approved(9)).await, Enrolled::Done);
        assert_eq!(enrol(store, "p4", "token:c", approved(9)).await, Enrolled::Closed, "used");
        let used = PersonRequestRow { approver: "token:b".into(), consume_time: Some(9), ..wanted };
        assert_eq!(store.person_request("r1").await.unwrap(), Some(used));
        assert_eq!(store.person_request("r2").await.unwrap(), None);
        assert_eq!(events(store).await.iter().filter(|name| *name == "person.enrolled").count(), 3);
    }
}

#[tokio::test]
async fn a_person_is_removed_while_two_stay() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        two_people(store).await;
        let remove = async |request_id: &str, id: &str| {
            let removed = event("person.removed");
            store.remove_person(id, &approval(request_id, 9), &removed).await.unwrap()
        };
        ask(store, &request("r1", PersonAction::Remove, "p2", "")).await;
        assert_eq!(remove("r1", "p2").await, Enrolled::TooFew);
        issue(store, "c", "").await;
        ask(store, &request("r2", PersonAction::Enrol, "", "token:c")).await;
        assert_eq!(enrol(store, "p3", "token:c", Grounds::Approved(approval("r2", 9))).await, Enrolled::Done);
        assert_eq!(remove("r1", "none").await, Enrolled::PersonMissing);
        assert_eq!(remove("r1", "p2").await, Enrolled::Done, "nothing of that used the request up");
        assert_eq!(remove("r1", "p3").await, Enrolled::Closed);
        let removed = PersonRow { remove_time: Some(9), ..person("p2", "token:admin") };
        assert!(store.people().await.unwrap().contains(&removed));
        ask(store, &request("r3", PersonAction::Enrol, "p2", "identity:y")).await;
        let gone = enrol(store, "p4", "identity:y", Grounds::Approved(approval("r3", 9))).await;
        assert_eq!(gone, Enrolled::PersonMissing, "who was removed gets nothing more");
    }
}

#[tokio::test]
async fn a_row_that_was_planted_is_nobody() {
    for (database, store) in stores().await {
        let store = store.as_ref();
        two_people(store).await;
        database.run("UPDATE person_identities SET person = 'p1'");
        assert!(store.person_identity("identity:x").await.is_err());
        database.run("UPDATE people SET remove_time = NULL, name = 'intruder' WHERE id = 'p2'");
        assert!(store.people().await.is_err());
    }
}
