//! `CredentialStore`.

use std::sync::Arc;

use strongroom_runtime::Selectors;

use super::{credential, event, events, row, stores};
use crate::store::{Changed, CredentialChange, CredentialFilter, Labels, NewEvent, ReferenceRow, Store};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn create(store: &dyn Store, number: u32, provider: &str, given: &[(&str, &str)]) {
    let row = credential(number, provider);
    store.create_credential(&row, &labels(given), &event("credential.created")).await.unwrap();
}

async fn bind(store: &dyn Store, consumer: &str, credential_id: &str) {
    let row = ReferenceRow {
        kind: "endpoint".into(),
        consumer: consumer.into(),
        credential_id: Some(credential_id.into()),
        create_time: 1,
        update_time: 1,
        ..ReferenceRow::default()
    };
    store.bind_reference(&row, &Default::default(), &event("reference.bound")).await.unwrap();
}

#[tokio::test]
async fn a_credential_comes_back_as_it_was_created() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[("env", "prod")]).await;
        bind(store.as_ref(), "chat", "id-0001").await;
        let found = store.credential("id-0001", &Default::default()).await.unwrap().unwrap();
        assert_eq!(found.row.display_name, "Credential 1");
        assert_eq!(found.row.secret, "srv1.sealed-1");
        assert_eq!(found.labels, labels(&[("env", "prod")]));
        assert_eq!(found.references.get("endpoint"), Some(&1));
        assert!(store.credential("id-0002", &Default::default()).await.unwrap().is_none());
        assert_eq!(events(store.as_ref()).await, ["credential.created", "reference.bound"]);
    }
}

#[tokio::test]
async fn a_failed_creation_leaves_no_event() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[]).await;
        let row = credential(1, "openai");
        let again = store.create_credential(&row, &Labels::new(), &event("credential.created")).await;
        assert_eq!(again.unwrap_err().kind(), strongroom_store::Kind::Unique);
        assert_eq!(events(store.as_ref()).await.len(), 1);
    }
}

#[tokio::test]
async fn lists_filter_and_page_by_id() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 3, "openai", &[("env", "prod"), ("team", "a")]).await;
        create(store.as_ref(), 1, "openai", &[("env", "dev")]).await;
        create(store.as_ref(), 2, "anthropic", &[("env", "prod")]).await;
        let change = CredentialChange { active: Some(false), now: 2, ..Default::default() };
        store.update_credential("id-0001", None, &change, &event("credential.deactivated")).await.unwrap();
        let base = CredentialFilter::default;
        let cases = [
            (base(), "", 10, vec![1, 2, 3]),
            (base(), "", 2, vec![1, 2]),
            (base(), "id-0002", 10, vec![3]),
            (CredentialFilter { provider: "openai".into(), ..base() }, "", 10, vec![1, 3]),
            (CredentialFilter { active: Some(false), ..base() }, "", 10, vec![1]),
            (CredentialFilter { name_prefix: "Credential 2".into(), ..base() }, "", 10, vec![2]),
            (CredentialFilter { name_prefix: "credential".into(), ..base() }, "", 10, vec![]),
            (CredentialFilter { labels: labels(&[("env", "prod")]), ..base() }, "", 10, vec![2, 3]),
            (
                CredentialFilter { labels: labels(&[("env", "prod"), ("team", "a")]), ..base() },
                "",
                10,
                vec![3],
            ),
        ];
        for (filter, after, limit, expected) in cases {
            let found = store.credentials(&filter, after, limit).await.unwrap();
            let ids: Vec<_> = found.iter().map(|credential| credential.row.id.clone()).collect();
            let expected: Vec<_> = expected.iter().map(|number| format!("id-{number:04}")).collect();
            assert_eq!(ids, expected, "{filter:?} after {after:?}");
        }
        let found = store.credentials(&base(), "", 10).await.unwrap();
        assert_eq!(found[2].labels.len(), 2, "labels go to the credential they belong to");
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_counts_revisions() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[("env", "prod")]).await;
        let rename = CredentialChange {
            display_name: Some("New".into()),
            expire_time: Some(Some(99)),
            now: 7,
            ..Default::default()
        };
        let done =
            store.update_credential("id-0001", Some(1), &rename, &event("credential.updated")).await.unwrap();
        assert_eq!(done, Changed::Done(()));
        let found = store.credential("id-0001", &Default::default()).await.unwrap().unwrap();
        assert_eq!((found.row.display_name.as_str(), found.row.expire_time), ("New", Some(99)));
        assert_eq!((found.row.revision, found.row.update_time), (2, 7));
        assert_eq!(found.labels.len(), 1, "labels were not named");

        let stale =
            store.update_credential("id-0001", Some(1), &rename, &event("credential.updated")).await.unwrap();
        assert_eq!(stale, Changed::Stale);
        let missing =
            store.update_credential("id-0009", None, &rename, &event("credential.updated")).await.unwrap();
        assert_eq!(missing, Changed::Missing);

        let clear = CredentialChange {
            labels: Some(Labels::new()),
            expire_time: Some(None),
            now: 8,
            ..Default::default()
        };
        store.update_credential("id-0001", None, &clear, &event("credential.updated")).await.unwrap();
        let found = store.credential("id-0001", &Default::default()).await.unwrap().unwrap();
        assert_eq!((found.row.expire_time, found.labels.len()), (None, 0));
        assert_eq!(events(store.as_ref()).await.len(), 3, "refused changes leave no event");
    }
}

#[tokio::test]
async fn deleting_releases_references_or_is_blocked_by_them() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[("env", "prod")]).await;
        bind(store.as_ref(), "chat", "id-0001").await;
        let deleted = event("credential.deleted");
        let everything = Selectors::default();
        let delete =
            |revision, block| store.delete_credential("id-0001", revision, block, &everything, &deleted);
        assert_eq!(delete(None, true).await.unwrap(), Changed::Referenced(1));
        assert_eq!(delete(Some(9), false).await.unwrap(), Changed::Stale);
        assert_eq!(delete(Some(1), false).await.unwrap(), Changed::Done(1));
        assert_eq!(delete(None, false).await.unwrap(), Changed::Missing);
        let references = store.references(&Default::default(), ("", ""), 10).await.unwrap();
        assert_eq!(references.len(), 1, "the consumer's reference stays");
        assert_eq!(references[0].credential_id, None, "bound to nothing");
        assert_eq!(events(store.as_ref()).await.last().unwrap(), "credential.deleted");
    }
}

/// A restore needs these facts: an older secret, an activation or a deleted credential must not come back unless
/// somebody names it.
#[tokio::test]
async fn the_times_of_secrets_and_deactivations_and_the_deleted_ones_are_remembered() {
    for (database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[]).await;
        let times = async || {
            let row = row(store.as_ref(), "id-0001").await.unwrap();
            (row.secret_time, row.deactivate_time)
        };
        let set = async |active, now| {
            let change = CredentialChange { active, now, ..Default::default() };
            store.update_credential("id-0001", None, &change, &event("credential.updated")).await.unwrap()
        };
        assert_eq!(times().await, (1, None));
        set(Some(false), 7).await;
        set(Some(false), 8).await;
        set(None, 9).await;
        assert_eq!(times().await, (1, Some(7)), "since then");
        set(Some(true), 10).await;
        assert_eq!(times().await, (1, None));
        let deleted = NewEvent { time: 11, ..event("credential.deleted") };
        store.delete_credential("id-0001", None, false, &Selectors::default(), &deleted).await.unwrap();
        let tombstone = database
            .text("SELECT id || ' ' || display_name || ' ' || provider || ' ' || delete_time FROM credential_tombstones");
        assert_eq!(tombstone, "id-0001 Credential 1 openai 11");
    }
}

#[tokio::test]
async fn a_row_is_read_alone() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[("env", "prod")]).await;
        let found = row(store.as_ref(), "id-0001").await.unwrap();
        assert_eq!((found.provider.as_str(), found.secret.as_str()), ("openai", "srv1.sealed-1"));
        assert!(row(store.as_ref(), "id-0002").await.is_none());
    }
}

#[tokio::test]
async fn stats_count_all_active_and_providers() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[]).await;
        create(store.as_ref(), 2, "anthropic", &[]).await;
        create(store.as_ref(), 3, "openai", &[]).await;
        let off = CredentialChange { active: Some(false), now: 2, ..Default::default() };
        store.update_credential("id-0003", None, &off, &event("credential.deactivated")).await.unwrap();
        let stats = store.credential_stats(&Default::default()).await.unwrap();
        assert_eq!((stats.total, stats.active), (3, 2));
        assert_eq!(stats.providers, ["anthropic", "openai"]);
        let openai = Selectors { providers: vec!["openai".into()], ..Default::default() };
        let stats = store.credential_stats(&openai).await.unwrap();
        assert_eq!((stats.total, stats.active), (2, 1));
        assert_eq!(stats.providers, ["openai"]);
    }
}

#[tokio::test]
async fn a_selection_bounds_lists_and_rows() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[("env", "prod")]).await;
        create(store.as_ref(), 2, "openai", &[("env", "staging")]).await;
        create(store.as_ref(), 3, "anthropic", &[("env", "staging")]).await;
        create(store.as_ref(), 4, "openai", &[("env", "dev"), ("team", "staging")]).await;
        let pair = |value: &str| ("env".to_owned(), value.to_owned());
        let cases = [
            (Selectors::default(), vec![1, 2, 3, 4]),
            (Selectors { labels: vec![pair("staging")], ..Default::default() }, vec![2, 3]),
            (Selectors { labels: vec![pair("staging"), pair("dev")], ..Default::default() }, vec![2, 3, 4]),
            (Selectors { providers: vec!["anthropic".into()], ..Default::default() }, vec![3]),
            (
                Selectors {
                    labels: vec![pair("staging")],
                    providers: vec!["openai".into()],
                    ..Default::default()
                },
                vec![2],
            ),
            (Selectors { labels: vec![pair("none")], ..Default::default() }, vec![]),
        ];
        for (selectors, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|number| format!("id-{number:04}")).collect();
            let asked: Vec<_> = (0..=4).rev().map(|number| format!("id-{number:04}")).collect();
            let rows = store.credential_rows(&asked, &selectors).await.unwrap();
            let mut found: Vec<_> = rows.into_iter().map(|(id, _)| id).collect();
            found.sort();
            assert_eq!(found, expected, "rows in {selectors:?}");
            let filter = CredentialFilter { selection: Arc::new(selectors), ..Default::default() };
            let found = store.credentials(&filter, "", 10).await.unwrap();
            let ids: Vec<_> = found.iter().map(|credential| credential.row.id.clone()).collect();
            assert_eq!(ids, expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn fallbacks_count_as_references_and_block_a_deletion() {
    for (_database, store) in stores().await {
        create(store.as_ref(), 1, "openai", &[]).await;
        create(store.as_ref(), 2, "openai", &[]).await;
        let row = ReferenceRow {
            kind: "endpoint".into(),
            consumer: "chat".into(),
            credential_id: Some("id-0001".into()),
            fallbacks: "id-0002".into(),
            ..ReferenceRow::default()
        };
        store.bind_reference(&row, &Default::default(), &event("reference.bound")).await.unwrap();
        let found = store.credential("id-0002", &Default::default()).await.unwrap().unwrap();
        assert_eq!(found.references.get("endpoint"), Some(&1));
        let deleted = event("credential.deleted");
        let blocked =
            store.delete_credential("id-0002", None, true, &Default::default(), &deleted).await.unwrap();
        assert_eq!(blocked, Changed::Referenced(1));
        let done =
            store.delete_credential("id-0002", None, false, &Default::default(), &deleted).await.unwrap();
        assert_eq!(done, Changed::Done(0), "nothing was bound to it");
        let left = store.reference("endpoint", "chat", &Default::default()).await.unwrap().unwrap();
        assert_eq!((left.credential_id.as_deref(), left.fallbacks.as_str()), (Some("id-0001"), ""));
    }
}
