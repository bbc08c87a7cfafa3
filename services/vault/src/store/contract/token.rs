//! `TokenStore`.

use super::{event, events, stores};
use crate::store::token::Hashes;
use crate::store::{Ended, Reissue, Remaining, Revocation, TokenRow};

pub(super) fn token(id: &str, create_time: i64) -> TokenRow {
    TokenRow {
        id: id.into(),
        hash: id.as_bytes().to_vec(),
        name: format!("token {id}"),
        role: "operator".into(),
        issuer: "token:admin".into(),
        create_time,
        expire_time: Some(create_time + 100),
        selectors: r#"{"providers":["openai"]}"#.into(),
        service: "vault".into(),
        introspect_hash: Some(format!("introspect {id}").into_bytes()),
        ..TokenRow::default()
    }
}

/// Hashes of a token's new secret.
pub(super) fn hashes(text: &str) -> Hashes {
    Hashes { hash: text.as_bytes().to_vec(), introspect_hash: format!("introspect {text}").into_bytes() }
}

/// An admin token without limits.
pub(super) fn admin(id: &str, issuer: &str) -> TokenRow {
    TokenRow {
        role: "admin".into(),
        issuer: issuer.into(),
        expire_time: None,
        selectors: "{}".into(),
        service: String::new(),
        ..token(id, 1)
    }
}

#[tokio::test]
async fn tokens_are_found_by_hash_and_by_id() {
    for (_database, store) in stores().await {
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        let (id, lineages) = store.token_by_hash(b"aa").await.unwrap().unwrap();
        assert_eq!((id.as_str(), lineages.token("aa")), ("aa", Some(&token("aa", 1))));
        assert_eq!(store.token("aa").await.unwrap(), Some(token("aa", 1)));
        assert!(store.token_by_hash(b"bb").await.unwrap().is_none());
        assert_eq!(store.token("bb").await.unwrap(), None);
        let (id, lineages) = store.token_by_introspect_hash(b"introspect aa").await.unwrap().unwrap();
        assert_eq!((id.as_str(), lineages.token("aa")), ("aa", Some(&token("aa", 1))));
        assert!(store.token_by_introspect_hash(b"aa").await.unwrap().is_none());
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
async fn a_token_is_found_with_every_issuer() {
    for (_database, store) in stores().await {
        let mut issuer = String::new();
        for id in ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"] {
            store.create_token(&admin(id, &issuer), &event("token.issued")).await.unwrap();
            issuer = format!("token:{id}");
        }
        store.create_token(&admin("b0", "token:none"), &event("token.issued")).await.unwrap();
        let (_, found) = store.token_by_hash(b"a8").await.unwrap().unwrap();
        assert_eq!((found.links("a8"), found.ended("a8", 5, |_| false)), (8, None));
        let all = store.lineages(&["a9".into(), "b0".into(), "none".into()]).await.unwrap();
        assert_eq!(all.ended("a9", 5, |_| false), Some(Ended::TooLong));
        assert_eq!(all.ended("b0", 5, |_| false), Some(Ended::Through("token:none".into())));
        assert!(all.token("a1").is_some() && all.token("none").is_none());
    }
}

#[tokio::test]
async fn a_vault_that_had_tokens_has_no_first_ones_again() {
    for (database, store) in stores().await {
        assert!(!store.ever_had_tokens().await.unwrap());
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        assert!(store.ever_had_tokens().await.unwrap());
        database.run("DELETE FROM api_tokens");
        assert!(store.ever_had_tokens().await.unwrap(), "the log knows of it");
        assert!(!store.create_first_tokens(&[(token("bb", 2), event("token.issued"))]).await.unwrap());
        store.append_event(&event("access.denied")).await.unwrap();
        let prunable = store.prunable(2_000, 10).await.unwrap().unwrap();
        store.prune_events(prunable, 9, &event("audit.pruned")).await.unwrap();
        assert!(store.ever_had_tokens().await.unwrap(), "and a log whose beginning is gone may have known");
    }
}

#[tokio::test]
async fn a_log_that_has_lost_events_may_have_known_tokens() {
    for (database, store) in stores().await {
        store.append_event(&event("access.denied")).await.unwrap();
        assert!(!store.ever_had_tokens().await.unwrap());
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        database.run("DELETE FROM api_tokens");
        database.run("DELETE FROM audit_logs WHERE event = 'token.issued'");
        assert!(store.ever_had_tokens().await.unwrap());
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
        let revoke = async |id: &str, now| store.revoke_token(id, now, None, &revoked).await.unwrap();
        assert_eq!(revoke("aa", 7).await, Revocation::Done);
        assert_eq!(revoke("aa", 8).await, Revocation::Unchanged);
        assert_eq!(revoke("bb", 8).await, Revocation::Unchanged);
        assert_eq!(store.token("aa").await.unwrap().unwrap().revoke_time, Some(7));
        assert_eq!(events(store.as_ref()).await, ["token.issued", "token.revoked"]);
    }
}

#[tokio::test]
async fn the_last_admin_stays() {
    for (database, store) in stores().await {
        for row in [admin("aa", ""), admin("bb", "token:aa"), admin("cc", ""), admin("dd", "identity:x")] {
            store.create_token(&row, &event("token.issued")).await.unwrap();
        }
        let revoked = event("token.revoked");
        let revoke = async |id: &str, identities: &[String]| {
            let remaining = Remaining { role: "admin", service: "vault", identities };
            store.revoke_token(id, 7, Some(remaining), &revoked).await.unwrap()
        };
        database.run("UPDATE api_tokens SET create_time = 0 WHERE id = 'cc'");
        assert_eq!(revoke("aa", &[]).await, Revocation::Last, "a row with a wrong MAC does not count");
        assert_eq!(revoke("aa", &["identity:x".into()]).await, Revocation::Done);
        assert_eq!(revoke("dd", &["identity:x".into()]).await, Revocation::Last);
        assert_eq!(revoke("bb", &["identity:x".into()]).await, Revocation::Done, "it had ended already");
        assert_eq!(store.token("dd").await.unwrap().unwrap().revoke_time, None);
    }
}

#[tokio::test]
async fn a_secret_is_renewed_by_whoever_has_the_last_one() {
    for (_database, store) in stores().await {
        store.create_token(&token("aa", 1), &event("token.issued")).await.unwrap();
        let renewed = event("token.renewed");
        assert!(store.renew_token("aa", b"aa", &hashes("new"), &renewed).await.unwrap());
        assert!(!store.renew_token("aa", b"aa", &hashes("other"), &renewed).await.unwrap());
        assert!(!store.renew_token("bb", b"bb", &hashes("other"), &renewed).await.unwrap());
        assert!(store.token_by_hash(b"aa").await.unwrap().is_none());
        let introspect_hash = Some(hashes("new").introspect_hash);
        let expected = TokenRow { hash: b"new".to_vec(), introspect_hash, ..token("aa", 1) };
        assert_eq!(store.token("aa").await.unwrap(), Some(expected));
        assert_eq!(events(store.as_ref()).await, ["token.issued", "token.renewed"]);
    }
}

#[tokio::test]
async fn a_reissue_changes_the_issuer_and_makes_no_circle() {
    for (_database, store) in stores().await {
        for row in [admin("aa", ""), admin("bb", "token:aa"), admin("cc", "token:bb")] {
            store.create_token(&row, &event("token.issued")).await.unwrap();
        }
        let reissued = event("token.reissued");
        let reissue = async |row: TokenRow| store.reissue_token(&row, &reissued).await.unwrap();
        for (id, issuer) in [("aa", "token:cc"), ("aa", "token:aa"), ("bb", "token:cc")] {
            assert_eq!(reissue(admin(id, issuer)).await, Reissue::Circular, "{id} by {issuer}");
        }
        let row = TokenRow {
            hash: b"new".to_vec(),
            expire_time: Some(9),
            person: "p1".into(),
            ..admin("cc", "identity:x")
        };
        let mut stale = TokenRow { stale_time: Some(5), ..admin("ee", "token:aa") };
        store.create_token(&stale, &event("token.issued")).await.unwrap();
        assert_eq!(store.token("ee").await.unwrap().unwrap().stale_time, Some(5));
        assert_eq!(reissue(stale.clone()).await, Reissue::Done);
        stale.stale_time = None;
        assert_eq!(store.token("ee").await.unwrap(), Some(stale), "it authenticates again");
        assert_eq!(reissue(TokenRow { name: "another".into(), ..row.clone() }).await, Reissue::Done);
        assert_eq!(store.token("cc").await.unwrap(), Some(row), "its name is its own");
        store.revoke_token("cc", 7, None, &event("token.revoked")).await.unwrap();
        assert_eq!(reissue(admin("cc", "token:aa")).await, Reissue::Ended);
        assert_eq!(reissue(admin("dd", "token:aa")).await, Reissue::Ended);
        assert_eq!(events(store.as_ref()).await[5..], ["token.reissued", "token.revoked"]);
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
