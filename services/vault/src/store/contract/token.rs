//! `TokenStore`.

use super::{event, events, stores};
use crate::store::TokenRow;

fn token(id: &str, create_time: i64) -> TokenRow {
    TokenRow {
        id: id.into(),
        hash: id.as_bytes().to_vec(),
        name: format!("token {id}"),
        role: "operator".into(),
        issuer: "token:admin".into(),
        create_time,
        expire_time: Some(create_time + 100),
        last_used_time: None,
        revoke_time: None,
        selectors: r#"{"providers":["openai"]}"#.into(),
        introspect_hash: Some(format!("introspect {id}").into_bytes()),
    }
}

#[tokio::test]
async fn tokens_are_found_by_hash_and_by_id() {
    for (_database, store) in stores().await {
        assert!(!store.has_tokens().await.unwrap());
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        assert!(store.has_tokens().await.unwrap());
        assert_eq!(store.token_by_hash(b"aa").await.unwrap(), Some(token("aa", 1)));
        assert_eq!(store.token("aa").await.unwrap(), Some(token("aa", 1)));
        assert_eq!(store.token_by_hash(b"bb").await.unwrap(), None);
        assert_eq!(store.token("bb").await.unwrap(), None);
        assert_eq!(store.token_by_introspect_hash(b"introspect aa").await.unwrap(), Some(token("aa", 1)));
        assert_eq!(store.token_by_introspect_hash(b"aa").await.unwrap(), None);
    }
}

#[tokio::test]
async fn no_two_tokens_share_what_services_look_them_up_by() {
    for (_database, store) in stores().await {
        let without = |id: &str| TokenRow { introspect_hash: None, ..token(id, 1) };
        for row in [token("aa", 1), without("bb"), without("cc")] {
            store.create_token(&row, &event("token.issued")).await.unwrap();
        }
        let twin = TokenRow { introspect_hash: token("aa", 1).introspect_hash, ..token("dd", 1) };
        assert!(store.create_token(&twin, &event("token.issued")).await.is_err());
    }
}

#[tokio::test]
async fn the_first_tokens_are_made_once() {
    for (_database, store) in stores().await {
        let firsts = |ids: [&str; 2]| ids.map(|id| (token(id, 1), event("token.issued")));
        let (one, two) = (firsts(["aa", "bb"]), firsts(["cc", "dd"]));
        let (a, b) = tokio::join!(store.create_first_tokens(&one), store.create_first_tokens(&two));
        assert_ne!(a.unwrap(), b.unwrap());
        assert_eq!(store.tokens((i64::MIN, ""), 10).await.unwrap().len(), 2);
        assert_eq!(events(store.as_ref()).await, ["token.issued", "token.issued"]);
    }
}

#[tokio::test]
async fn lists_page_by_time_and_id() {
    for (_database, store) in stores().await {
        for row in [token("bb", 2), token("aa", 2), token("cc", 1)] {
            store.create_token(&row, &event("token.issued")).await.unwrap();
        }
        for (after, limit, expected) in
            [((i64::MIN, ""), 10, "cc aa bb"), ((1, "cc"), 1, "aa"), ((2, "aa"), 10, "bb")]
        {
            let found = store.tokens(after, limit).await.unwrap();
            let ids: Vec<_> = found.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids.join(" "), expected, "{after:?}");
        }
    }
}

#[tokio::test]
async fn a_token_is_revoked_once() {
    for (_database, store) in stores().await {
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        let revoked = event("token.revoked");
        assert!(store.revoke_token("aa", 7, &revoked).await.unwrap());
        assert!(!store.revoke_token("aa", 8, &revoked).await.unwrap());
        assert!(!store.revoke_token("bb", 8, &revoked).await.unwrap());
        assert_eq!(store.token("aa").await.unwrap().unwrap().revoke_time, Some(7));
        assert_eq!(events(store.as_ref()).await, ["token.issued", "token.revoked"]);
    }
}

#[tokio::test]
async fn a_use_is_remembered_without_an_event() {
    for (_database, store) in stores().await {
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        store.touch_token("aa", 9).await.unwrap();
        assert_eq!(store.token("aa").await.unwrap().unwrap().last_used_time, Some(9));
        assert_eq!(events(store.as_ref()).await.len(), 1);
    }
}
