//! The references that a narrowed token sees and changes, and those that it leaves alone.

use std::sync::Arc;

use strongroom_runtime::Selectors;

use super::reference::{bind, candidates, reference, through, with_credentials};
use super::{credential, event, stores};
use crate::store::{Bound, Changed, Labels, Reassigned, Reassignment, ReferenceFilter, ReferenceRow, Store};

fn staging() -> Selectors {
    Selectors {
        labels: vec![("env".into(), "staging".into())],
        reference_kinds: vec!["*".into()],
        ..Selectors::default()
    }
}

#[tokio::test]
async fn a_selection_hides_references_that_lead_outside() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_credentials(store).await;
        let labels: Labels = [("env".to_owned(), "staging".to_owned())].into();
        let inside = credential(7, "openai");
        store.create_credential(&inside, &labels, &event("credential.created")).await.unwrap();
        bind(store, &reference("endpoint", "in", "id-0007", 1)).await;
        bind(store, &reference("endpoint", "out", "id-0001", 1)).await;
        let mixed =
            ReferenceRow { fallbacks: "id-0001".into(), ..reference("endpoint", "mixed", "id-0007", 1) };
        bind(store, &mixed).await;
        bind(store, &reference("template", "t", "id-0007", 1)).await;
        bind(store, &through("endpoint", "via", ("template", "t"))).await;
        let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
        for (selection, expected) in [
            (staging(), "in via t"),
            (Selectors { reference_kinds: kinds(&["template"]), ..staging() }, "t"),
            (Selectors { reference_kinds: kinds(&["end*", "temp*"]), ..staging() }, "in via t"),
            (Selectors { reference_kinds: kinds(&["end*", "x"]), ..staging() }, "in"),
            (Selectors { reference_kinds: kinds(&["*"]), ..Selectors::default() }, ""),
            (Selectors { reference_kinds: Vec::new(), ..staging() }, ""),
        ] {
            let filter = ReferenceFilter { selection: Arc::new(selection), ..Default::default() };
            let found = store.references(&filter, ("", ""), 10).await.unwrap();
            let names: Vec<_> = found.iter().map(|row| row.consumer.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{filter:?}");
        }
        let released = event("reference.released");
        assert!(!store.release_reference("endpoint", "out", &staging(), &released).await.unwrap());
        assert!(store.release_reference("endpoint", "in", &staging(), &released).await.unwrap());
        let taken = reference("endpoint", "out", "id-0007", 2);
        let taken = store.bind_reference(&taken, &staging(), &event("reference.bound")).await.unwrap();
        assert_eq!(taken, Bound::Outside, "what is somebody else's is not taken over");
    }
}

/// Two credentials that [`staging`] selects, and references to the first: `in` uses only this one, `mixed` also one
/// outside the selection, and the third is of the kind `other`.
async fn with_staging(store: &dyn Store) {
    with_credentials(store).await;
    let labels: Labels = [("env".to_owned(), "staging".to_owned())].into();
    for number in [7, 8] {
        let inside = credential(number, "openai");
        store.create_credential(&inside, &labels, &event("credential.created")).await.unwrap();
    }
    bind(store, &reference("endpoint", "in", "id-0007", 1)).await;
    let mixed = ReferenceRow { fallbacks: "id-0007".into(), ..reference("endpoint", "mixed", "id-0001", 1) };
    bind(store, &mixed).await;
    bind(store, &reference("other", "a", "id-0007", 1)).await;
}

fn endpoints() -> Selectors {
    Selectors { reference_kinds: vec!["endpoint".into()], ..staging() }
}

#[tokio::test]
async fn what_is_outside_is_neither_counted_nor_moved() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_staging(store).await;
        let narrow = endpoints();
        let seen = store.credential("id-0007", &narrow).await.unwrap().unwrap();
        assert_eq!(seen.references, [("endpoint".to_owned(), 1)].into());
        assert!(store.credential("id-0001", &narrow).await.unwrap().is_none());

        let needy = ReferenceRow { needs_provider: "else".into(), ..reference("other", "b", "id-0007", 1) };
        bind(store, &needy).await;
        let moved =
            Reassignment { from: "id-0007", to: "id-0008", provider: "openai", selection: &narrow, now: 9 };
        let done = store.reassign_references(&moved, &event("reference.reassigned")).await.unwrap();
        assert_eq!(done, Reassigned::Done(1), "a reference outside the selection is no provider mismatch");
        let everything = Selectors::default();
        let left = store.credential("id-0007", &everything).await.unwrap().unwrap();
        assert_eq!(left.references, [("endpoint".to_owned(), 1), ("other".to_owned(), 2)].into());

        let deleted = event("credential.deleted");
        let done = store.delete_credential("id-0007", None, true, &narrow, &deleted).await.unwrap();
        assert_eq!(done, Changed::Done(0), "nothing that the caller sees stands in the way");
    }
}

#[tokio::test]
async fn a_change_sees_what_left_the_selection_in_between() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_staging(store).await;
        let (narrow, bound) = (staging(), event("reference.bound"));
        let row = reference("endpoint", "new", "id-0001", 1);
        let refused = store.bind_reference(&row, &narrow, &bound).await.unwrap();
        assert_eq!(refused, Bound::Missing("id-0001".into()));
        let row = through("endpoint", "new", ("endpoint", "mixed"));
        assert_eq!(store.bind_reference(&row, &narrow, &bound).await.unwrap(), Bound::ViaMissing);
        let row = reference("endpoint", "mixed", "id-0007", 1);
        assert_eq!(store.bind_reference(&row, &narrow, &bound).await.unwrap(), Bound::Outside);
        let moved =
            Reassignment { from: "id-0007", to: "id-0001", provider: "openai", selection: &narrow, now: 9 };
        let refused = store.reassign_references(&moved, &event("reference.reassigned")).await.unwrap();
        assert_eq!(refused, Reassigned::Missing("id-0001".into()));
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_taken_as_a_new_one() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_staging(store).await;
        bind(store, &reference("endpoint", "left", "id-0001", 1)).await;
        let deleted = event("credential.deleted");
        store.delete_credential("id-0001", None, false, &Selectors::default(), &deleted).await.unwrap();
        let row = reference("endpoint", "left", "id-0007", 5);
        let bound = store.bind_reference(&row, &staging(), &event("reference.bound")).await.unwrap();
        assert_eq!(bound, Bound::Done(row), "its first binding is not shown");
    }
}

#[tokio::test]
async fn candidates_outside_are_as_if_deleted() {
    for (_database, store) in stores().await {
        let store = store.as_ref();
        with_staging(store).await;
        let behind = ReferenceRow {
            fallbacks: "id-0001 id-0008".into(),
            ..reference("endpoint", "behind", "id-0007", 1)
        };
        bind(store, &behind).await;
        bind(store, &reference("template", "t", "id-0007", 1)).await;
        let via =
            ReferenceRow { fallbacks: "id-0008".into(), ..through("endpoint", "via", ("template", "t")) };
        bind(store, &via).await;
        let ids = |ids: &[&str]| {
            let some = |id: &&str| Some((*id).to_owned()).filter(|id| !id.is_empty());
            ids.iter().map(some).collect::<Vec<_>>()
        };
        for (consumer, selection, expected) in [
            ("mixed", staging(), ["", "id-0007"]),
            ("behind", staging(), ["id-0007", "id-0008"]),
            ("via", staging(), ["id-0007", "id-0008"]),
            ("via", endpoints(), ["", "id-0008"]),
        ] {
            let found = candidates(store, consumer, &selection).await;
            assert_eq!(found, ids(&expected), "{consumer} in {selection:?}");
        }
        let none = Selectors { labels: Vec::new(), ..staging() };
        assert_eq!(candidates(store, "behind", &none).await, ids(&[""]));
    }
}
