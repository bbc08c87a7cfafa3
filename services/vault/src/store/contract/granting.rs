//! Lists that include rows that were changed outside the vault, or that contain values of the wrong type.

use std::sync::Arc;

use strongroom_testkit::TestDb;

use super::reference::{bind, reference};
use super::token::{admin, token};
use super::{credential, event, stores};
use crate::store::{Ended, Labels, Store};

const ALL: [u32; 6] = [1, 2, 3, 4, 5, 6];

/// Six tokens, credentials and references; the second and third of each were changed.
async fn tampered() -> Vec<(TestDb, Arc<dyn Store>)> {
    let stores = stores().await;
    for (database, store) in &stores {
        for number in ALL {
            let id = format!("id-{number:04}");
            let (of_token, of_credential) = (event("token.issued"), event("credential.created"));
            store.create_token(&token(&id, number.into()), &of_token).await.unwrap();
            let row = credential(number, "openai");
            store.create_credential(&row, &Labels::new(), &of_credential).await.unwrap();
            bind(store.as_ref(), &reference("endpoint", &id, &id, 1)).await;
        }
        database.run("UPDATE api_tokens SET role = 'admin' WHERE id IN ('id-0002', 'id-0003')");
        database.run("UPDATE credentials SET preview = 'x' WHERE id IN ('id-0002', 'id-0003')");
        database.run(
            "UPDATE credential_references SET needs_provider = 'x' WHERE consumer IN ('id-0002', 'id-0003')",
        );
    }
    stores
}

/// The ids of the first `limit` tokens, credentials and references.
async fn listed(store: &dyn Store, limit: i64) -> [Vec<String>; 3] {
    let tokens = store.tokens((i64::MIN, ""), limit).await.unwrap();
    let credentials = store.credentials(&Default::default(), "", limit).await.unwrap();
    let references = store.references(&Default::default(), ("", ""), limit).await.unwrap();
    [
        tokens.into_iter().map(|row| row.id).collect(),
        credentials.into_iter().map(|found| found.row.id).collect(),
        references.into_iter().map(|row| row.consumer).collect(),
    ]
}

fn ids(numbers: &[u32]) -> [Vec<String>; 3] {
    [(); 3].map(|()| numbers.iter().map(|number| format!("id-{number:04}")).collect())
}

#[tokio::test]
async fn a_tampered_row_hides_no_other_from_a_list() {
    for (_database, store) in tampered().await {
        for (limit, numbers) in
            [(1, &[1][..]), (2, &[1, 4]), (3, &[1, 4, 5]), (4, &[1, 4, 5, 6]), (9, &[1, 4, 5, 6])]
        {
            assert_eq!(listed(store.as_ref(), limit).await, ids(numbers), "limit {limit}");
        }
    }
}

#[tokio::test]
async fn a_token_below_a_tampered_one_has_ended() {
    for (database, store) in stores().await {
        for row in [admin("aa", ""), admin("bb", "token:aa")] {
            store.create_token(&row, &event("token.issued")).await.unwrap();
        }
        database.run("UPDATE api_tokens SET name = 'x' WHERE id = 'aa'");
        assert!(store.token_by_hash(b"bb").await.is_err());
        let lineages = store.lineages(&["bb".into()]).await.unwrap();
        assert_eq!(lineages.ended("bb", 5, |_| false), Some(Ended::Through("token:aa".into())));
    }
}

/// Only on SQLite: PostgreSQL enforces column types.
#[tokio::test]
async fn a_value_that_cannot_be_read_is_a_tampered_row() {
    for (database, store) in tampered().await {
        if database.file().is_none() {
            continue;
        }
        for change in [
            "UPDATE api_tokens SET create_time = 4.5 WHERE id = 'id-0004'",
            "UPDATE credentials SET display_name = x'ff' WHERE id = 'id-0004'",
            "UPDATE credential_references SET update_time = 'x' WHERE consumer = 'id-0004'",
        ] {
            database.run(change);
        }
        assert_eq!(listed(store.as_ref(), 2).await, ids(&[1, 5]));
        assert_eq!(listed(store.as_ref(), 9).await, ids(&[1, 5, 6]));
        let found = store.credential("id-0004", &Default::default()).await;
        assert!(matches!(found, Err(strongroom_store::Error::Tampered { table: "credentials", .. })));
        assert!(store.token_by_hash(b"id-0004").await.is_err());
        let found = store.tampered_rows(100).await.unwrap();
        assert_eq!(found.iter().filter(|row| row.row == "that cannot be read").count(), 3);
        assert_eq!(found.len(), 9);
    }
}
