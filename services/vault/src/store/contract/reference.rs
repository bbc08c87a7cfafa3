//! `ReferenceStore`.

use strongroom_runtime::Selectors;

use super::{credential, event, events, stores};
use crate::store::{Bound, Labels, Reassigned, Reassignment, ReferenceFilter, ReferenceRow, Store};

pub(super) fn reference(kind: &str, consumer: &str, credential_id: &str, time: i64) -> ReferenceRow {
    ReferenceRow {
        kind: kind.into(),
        consumer: consumer.into(),
        credential_id: Some(credential_id.into()),
        needs_provider: "openai".into(),
        create_time: time,
        update_time: time,
        ..ReferenceRow::default()
    }
}

pub(super) async fn with_credentials(store: &dyn Store) {
    for number in [1, 2, 3] {
        let row = credential(number, "openai");
        store.create_credential(&row, &Labels::new(), &event("credential.created")).await.unwrap();
    }
}

pub(super) async fn bind(store: &dyn Store, row: &ReferenceRow) -> Bound {
    store.bind_reference(row, &Selectors::default(), &event("reference.bound")).await.unwrap()
}

pub(super) fn through(kind: &str, consumer: &str, via: (&str, &str)) -> ReferenceRow {
    ReferenceRow {
        credential_id: None,
        via_kind: via.0.into(),
        via_consumer: via.1.into(),
        ..reference(kind, consumer, "", 1)
    }
}

pub(super) async fn candidates(
    store: &dyn Store,
    consumer: &str,
    selection: &Selectors,
) -> Vec<Option<String>> {
    let asked = [("endpoint".into(), consumer.into())];
    let found = store.candidates(&asked, selection).await.unwrap();
    assert!(found.keys().all(|(kind, name)| kind == "endpoint" && name == consumer));
    found.into_values().flat_map(Result::unwrap).map(|candidate| candidate.id).collect()
}

#[tokio::test]
async fn binding_again_replaces_the_credential() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        bind(store.as_ref(), &reference("endpoint", "chat", "id-0001", 5)).await;
        let fallbacks = "id-0003 id-0001".to_owned();
        let row = ReferenceRow { fallbacks, ..reference("endpoint", "chat", "id-0002", 9) };
        let Bound::Done(again) = bind(store.as_ref(), &row).await else { panic!("not bound") };
        assert_eq!(again, ReferenceRow { create_time: 5, ..row.clone() }, "the order of fallbacks too");
        let missing = bind(store.as_ref(), &reference("endpoint", "chat", "id-0009", 9)).await;
        assert_eq!(missing, Bound::Missing("id-0009".into()));
        let gone = ReferenceRow { fallbacks: "id-0008".into(), ..row };
        assert_eq!(bind(store.as_ref(), &gone).await, Bound::Missing("id-0008".into()));
        assert_eq!(events(store.as_ref()).await.len(), 5, "a refused binding leaves no event");
    }
}

#[tokio::test]
async fn references_go_through_one_other_and_no_further() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_credentials(store).await;
        let template = ("template", "openai");
        assert_eq!(bind(store, &through("endpoint", "chat", template)).await, Bound::ViaMissing);
        bind(store, &reference("template", "openai", "id-0001", 1)).await;
        assert!(matches!(bind(store, &through("endpoint", "chat", template)).await, Bound::Done(_)));
        let chain = through("endpoint", "other", ("endpoint", "chat"));
        assert_eq!(bind(store, &chain).await, Bound::ViaIndirect);
        bind(store, &reference("template", "second", "id-0002", 1)).await;
        let under = through("template", "openai", ("template", "second"));
        assert_eq!(bind(store, &under).await, Bound::ViaIndirect, "others go through it");
        let left = store.reference("template", "openai", &Selectors::default()).await.unwrap().unwrap();
        assert_eq!(left.credential_id.as_deref(), Some("id-0001"), "a refused binding changes nothing");
    }
}

#[tokio::test]
async fn candidates_come_in_order() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_credentials(store).await;
        let everything = Selectors::default();
        assert!(candidates(store, "chat", &everything).await.is_empty());
        let own = ReferenceRow {
            fallbacks: "id-0003 id-0001".into(),
            ..reference("endpoint", "chat", "id-0002", 1)
        };
        bind(store, &own).await;
        let ids = |ids: &[&str]| ids.iter().map(|id| Some((*id).to_owned())).collect::<Vec<_>>();
        assert_eq!(candidates(store, "chat", &everything).await, ids(&["id-0002", "id-0003", "id-0001"]));
        let template =
            ReferenceRow { fallbacks: "id-0002".into(), ..reference("template", "t", "id-0001", 1) };
        bind(store, &template).await;
        let row =
            ReferenceRow { fallbacks: "id-0003".into(), ..through("endpoint", "via", ("template", "t")) };
        bind(store, &row).await;
        assert_eq!(candidates(store, "via", &everything).await, ids(&["id-0001", "id-0003", "id-0002"]));
        store.release_reference("template", "t", &everything, &event("reference.released")).await.unwrap();
        assert_eq!(candidates(store, "via", &everything).await, [None, Some("id-0003".into())]);
        let openai = Selectors { providers: vec!["anthropic".into()], ..Selectors::default() };
        assert_eq!(candidates(store, "via", &openai).await, [None], "what is outside is as if deleted");
        let asked = ["via", "nobody", "chat"].map(|consumer| ("endpoint".into(), consumer.into()));
        let found = store.candidates(&asked, &everything).await.unwrap();
        let found: Vec<_> = found
            .into_values()
            .flat_map(Result::unwrap)
            .map(|row| (row.consumer, row.id.unwrap_or_default()))
            .collect();
        let expected =
            [("chat", "id-0002"), ("chat", "id-0003"), ("chat", "id-0001"), ("via", ""), ("via", "id-0003")];
        assert_eq!(found, expected.map(|(consumer, id)| (consumer.to_owned(), id.to_owned())));
    }
}

#[tokio::test]
async fn lists_filter_and_page_by_kind_and_consumer() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        for (kind, consumer, id) in
            [("endpoint", "b", "id-0001"), ("endpoint", "a", "id-0002"), ("template", "a", "id-0001")]
        {
            bind(store.as_ref(), &reference(kind, consumer, id, 1)).await;
        }
        let row = ReferenceRow { fallbacks: "id-0001".into(), ..reference("template", "b", "id-0002", 1) };
        bind(store.as_ref(), &row).await;
        let all = ReferenceFilter::default();
        let of_first = ReferenceFilter { credential_id: "id-0001".into(), ..Default::default() };
        let endpoints = ReferenceFilter { kind: "endpoint".into(), ..Default::default() };
        let cases = [
            (&all, ("", ""), 10, vec!["endpoint/a", "endpoint/b", "template/a", "template/b"]),
            (&all, ("endpoint", "a"), 1, vec!["endpoint/b"]),
            (&all, ("endpoint", "b"), 10, vec!["template/a", "template/b"]),
            (&of_first, ("", ""), 10, vec!["endpoint/b", "template/a", "template/b"]),
            (&endpoints, ("", ""), 10, vec!["endpoint/a", "endpoint/b"]),
        ];
        for (filter, after, limit, expected) in cases {
            let found = store.references(filter, after, limit).await.unwrap();
            let found: Vec<_> = found.iter().map(|row| format!("{}/{}", row.kind, row.consumer)).collect();
            assert_eq!(found, expected, "{filter:?} after {after:?}");
        }
    }
}

#[tokio::test]
async fn a_reference_is_released_once() {
    for (_database, store) in stores().await {
        with_credentials(store.as_ref()).await;
        bind(store.as_ref(), &reference("endpoint", "chat", "id-0001", 5)).await;
        let released = event("reference.released");
        assert!(store.release_reference("endpoint", "chat", &Selectors::default(), &released).await.unwrap());
        assert!(
            !store.release_reference("endpoint", "chat", &Selectors::default(), &released).await.unwrap()
        );
        assert_eq!(events(store.as_ref()).await.len(), 5);
    }
}

#[tokio::test]
async fn all_references_move_or_none() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_credentials(store).await;
        for consumer in ["a", "b"] {
            bind(store, &reference("endpoint", consumer, "id-0001", 1)).await;
        }
        let falls_back =
            ReferenceRow { fallbacks: "id-0001".into(), ..reference("endpoint", "c", "id-0003", 1) };
        bind(store, &falls_back).await;
        let everything = Selectors::default();
        let moved =
            |provider, to| Reassignment { from: "id-0001", to, provider, selection: &everything, now: 9 };
        let reassigned = event("reference.reassigned");
        let before = events(store).await.len();
        let refused = store.reassign_references(&moved("anthropic", "id-0002"), &reassigned).await.unwrap();
        assert!(matches!(&refused, Reassigned::Mismatch(row) if row.consumer == "a"), "{refused:?}");
        let refused = store.reassign_references(&moved("openai", "id-0009"), &reassigned).await.unwrap();
        assert_eq!(refused, Reassigned::Missing("id-0009".into()));
        assert_eq!(events(store).await.len(), before);
        assert_eq!(
            store.credential("id-0001", &Default::default()).await.unwrap().unwrap().references["endpoint"],
            3
        );

        let done = store.reassign_references(&moved("openai", "id-0002"), &reassigned).await.unwrap();
        assert_eq!(done, Reassigned::Done(3));
        assert_eq!(
            store.credential("id-0002", &Default::default()).await.unwrap().unwrap().references["endpoint"],
            3
        );
        let logged = store.events(&Default::default(), i64::MAX, 1).await.unwrap();
        assert!(logged[0].metadata.contains(r#""references":3"#), "{}", logged[0].metadata);
    }
}

#[tokio::test]
async fn a_moved_reference_names_no_credential_twice() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_credentials(store).await;
        let with = |kind, consumer, id, fallbacks: &str| ReferenceRow {
            fallbacks: fallbacks.into(),
            ..reference(kind, consumer, id, 1)
        };
        for row in [
            with("endpoint", "own-moves", "id-0001", "id-0003 id-0002"),
            with("endpoint", "fallback-moves", "id-0002", "id-0001 id-0003"),
            with("endpoint", "before-the-other", "id-0003", "id-0001 id-0002"),
            with("endpoint", "behind-the-other", "id-0003", "id-0002 id-0001"),
            with("template", "unseen", "id-0001", "id-0002"),
        ] {
            bind(store, &row).await;
        }
        let selection = Selectors {
            providers: vec!["openai".into()],
            reference_kinds: vec!["endpoint".into()],
            ..Selectors::default()
        };
        let moved = Reassignment {
            from: "id-0001",
            to: "id-0002",
            provider: "openai",
            selection: &selection,
            now: 9,
        };
        let done = store.reassign_references(&moved, &event("reference.reassigned")).await.unwrap();
        assert_eq!(done, Reassigned::Done(4), "what merged has moved too");
        for (kind, consumer, id, fallbacks) in [
            ("endpoint", "own-moves", "id-0002", "id-0003"),
            ("endpoint", "fallback-moves", "id-0002", "id-0003"),
            ("endpoint", "before-the-other", "id-0003", "id-0002"),
            ("endpoint", "behind-the-other", "id-0003", "id-0002"),
            ("template", "unseen", "id-0001", "id-0002"),
        ] {
            let row = store.reference(kind, consumer, &Selectors::default()).await.unwrap().unwrap();
            let named = (row.credential_id.as_deref(), row.fallbacks.as_str());
            assert_eq!(named, (Some(id), fallbacks), "{consumer}");
        }
    }
}
