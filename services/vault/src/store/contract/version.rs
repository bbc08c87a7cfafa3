//! `VersionStore`.

use super::{credential, event, events, stores};
use crate::store::{Changed, Labels, Once, Replacement, RequestRow, VersionRow};

fn replacement(revision: i64, secret: &str, kept: Option<&str>) -> Replacement {
    let previous = kept.map(|id| VersionRow {
        id: id.into(),
        credential_id: "id-0001".into(),
        secret: format!("srv1.{id}"),
        preview: "sk-...old".into(),
        create_time: 5,
        expire_time: 50,
    });
    Replacement {
        credential_id: "id-0001".into(),
        revision,
        secret: secret.into(),
        preview: "sk-...new".into(),
        previous,
        now: 5,
    }
}

#[tokio::test]
async fn a_secret_is_replaced_and_one_old_one_kept() {
    for (_database, store) in stores().await {
        let created = event("credential.created");
        store.create_credential(&credential(1, "openai"), &Labels::new(), &created).await.unwrap();
        let rotated = event("credential.rotated");
        let replace = async |replacement| store.replace_secret(&replacement, None, &rotated).await.unwrap();

        assert_eq!(replace(replacement(1, "srv1.b", Some("v1"))).await, Once::First(Changed::Done(())));
        let found = store.credential("id-0001", &Default::default()).await.unwrap().unwrap();
        assert_eq!((found.row.secret.as_str(), found.row.preview.as_str()), ("srv1.b", "sk-...new"));
        assert_eq!((found.row.revision, found.row.update_time), (2, 5));
        assert_eq!(found.previous_expire_time, Some(50));
        assert_eq!(store.previous_secret("id-0001", 49).await.unwrap().unwrap().secret, "srv1.v1");
        assert!(store.previous_secret("id-0001", 50).await.unwrap().is_none(), "its time is over");

        assert_eq!(replace(replacement(1, "srv1.c", Some("v2"))).await, Once::First(Changed::Stale));
        assert_eq!(replace(replacement(2, "srv1.c", Some("v2"))).await, Once::First(Changed::Done(())));
        assert_eq!(store.previous_secret("id-0001", 49).await.unwrap().unwrap().id, "v2");
        assert_eq!(replace(replacement(3, "srv1.d", None)).await, Once::First(Changed::Done(())));
        assert!(store.previous_secret("id-0001", 49).await.unwrap().is_none());
        assert_eq!(events(store.as_ref()).await.len(), 4, "a refused rotation leaves no event");
        let other = Replacement { credential_id: "id-0009".into(), ..replacement(1, "srv1.e", None) };
        assert_eq!(replace(other).await, Once::First(Changed::Missing));
    }
}

#[tokio::test]
async fn a_request_replaces_once_and_a_refused_one_is_not_remembered() {
    for (_database, store) in stores().await {
        let created = event("credential.created");
        store.create_credential(&credential(1, "openai"), &Labels::new(), &created).await.unwrap();
        let request = RequestRow {
            principal: "token:a".into(),
            method: "RotateCredential".into(),
            request_id: "r".into(),
            digest: "kid.digest".into(),
            result_id: "id-0001".into(),
            create_time: 5,
        };
        let rotated = event("credential.rotated");
        let replace =
            async |replacement| store.replace_secret(&replacement, Some(&request), &rotated).await.unwrap();
        assert_eq!(replace(replacement(9, "srv1.b", None)).await, Once::First(Changed::Stale));
        assert_eq!(replace(replacement(1, "srv1.b", None)).await, Once::First(Changed::Done(())));
        assert_eq!(replace(replacement(2, "srv1.c", None)).await, Once::Repeated(request.clone()));
        let row = super::row(store.as_ref(), "id-0001").await.unwrap();
        assert_eq!((row.secret.as_str(), row.revision), ("srv1.b", 2));
    }
}

#[tokio::test]
async fn a_deleted_credential_takes_its_previous_secret_along() {
    for (database, store) in stores().await {
        let created = event("credential.created");
        store.create_credential(&credential(1, "openai"), &Labels::new(), &created).await.unwrap();
        let kept = replacement(1, "srv1.b", Some("v1"));
        store.replace_secret(&kept, None, &event("credential.rotated")).await.unwrap();
        store
            .delete_credential("id-0001", None, false, &Default::default(), &event("credential.deleted"))
            .await
            .unwrap();
        assert_eq!(database.number("SELECT count(*) FROM credential_versions"), 0);
    }
}
