//! Every combination of an archive's and the vault's versions of a row.

use super::*;

const NOW: i64 = 1_000;

fn base() -> CredentialRow {
    CredentialRow {
        id: "c".into(),
        display_name: "n".into(),
        provider: "p".into(),
        secret: "old".into(),
        preview: "old...".into(),
        active: true,
        create_time: 1,
        update_time: 5,
        last_used_time: None,
        expire_time: None,
        revision: 3,
        labels: "{}".into(),
        secret_time: 5,
        deactivate_time: None,
    }
}

/// Rows that differ in facts that a restore must respect.
fn variants() -> Vec<CredentialRow> {
    let mut rows = Vec::new();
    for secret_time in [5, 6] {
        for active in [true, false] {
            for expire_time in [None, Some(50), Some(60)] {
                rows.push(CredentialRow {
                    secret: format!("secret {secret_time}"),
                    secret_time,
                    active,
                    deactivate_time: (!active).then_some(7),
                    expire_time,
                    ..base()
                });
            }
        }
    }
    rows
}

fn facts(is_revived: bool) -> Facts {
    Facts { mode: RestoreMode::Replace, is_buried: false, is_revived }
}

#[test]
fn a_restore_only_ever_tightens() {
    for archived in variants() {
        for live in variants() {
            let decision = credential(archived.clone(), Some(&live), facts(false), NOW);
            let row = decision.row.clone().unwrap_or_else(|| live.clone());
            assert!(!row.active || live.active, "it may deactivate, never activate");
            assert!(row.secret_time >= live.secret_time, "no older secret comes back");
            let never = i64::MAX;
            assert!(row.expire_time.unwrap_or(never) <= live.expire_time.unwrap_or(never), "no later expiry");
            assert_eq!(row.active, archived.active && live.active);
            assert_eq!(row.deactivate_time.is_some(), !row.active);
            let tightened = archived.secret_time < live.secret_time
                || archived.active && !live.active
                || archived.expire_time.unwrap_or(never) > live.expire_time.unwrap_or(never);
            assert_eq!(!decision.kept.is_empty(), tightened, "what is kept back is named");
            assert!(decision.row.is_none_or(|row| row.revision == NOW), "a change has a new etag");
        }
    }
}

#[test]
fn a_revived_credential_equals_the_archived_row() {
    for archived in variants() {
        for live in variants() {
            let decision = credential(archived.clone(), Some(&live), facts(true), NOW);
            let row = decision.row.unwrap_or(live);
            assert!(is_same_credential(&row, &archived) && row.secret == archived.secret);
            assert!(decision.kept.is_empty());
        }
    }
}

#[test]
fn what_is_gone_stays_gone_or_comes_back_whole() {
    let of = |is_buried, is_revived| {
        let facts = Facts { mode: RestoreMode::Merge, is_buried, is_revived };
        credential(base(), None, facts, NOW)
    };
    assert_eq!(of(true, false).kept, [DELETED_SINCE]);
    assert!(of(true, false).row.is_none());
    for (is_buried, is_revived) in [(false, false), (true, true)] {
        let row = of(is_buried, is_revived).row.unwrap();
        assert!(is_same_credential(&row, &base()) && row.revision == NOW);
    }
}

#[test]
fn a_merge_keeps_existing_rows() {
    let live = CredentialRow { display_name: "other".into(), ..base() };
    let merge = Facts { mode: RestoreMode::Merge, is_buried: false, is_revived: false };
    let decision = credential(base(), Some(&live), merge, NOW);
    assert!(decision.row.is_none() && decision.kept == [EXISTS]);
    let same = credential(base(), Some(&base()), merge, NOW);
    assert!(same.row.is_none() && same.kept.is_empty());
}

/// A value that was sealed again since is the same secret.
#[test]
fn a_secret_that_was_sealed_anew_is_not_put_back() {
    let live = CredentialRow { secret: "sealed anew".into(), ..base() };
    let decision = credential(base(), Some(&live), facts(false), NOW);
    assert!(decision.row.is_none() && decision.kept.is_empty());
}

#[test]
fn a_token_comes_back_stale_and_without_its_person() {
    let archived = TokenRow {
        id: "t".into(),
        person: "p".into(),
        enrolled: true,
        renewed: true,
        break_glass: true,
        ..TokenRow::default()
    };
    let row = token(archived.clone(), None, false, NOW).row.unwrap();
    assert_eq!(row.stale_time, Some(NOW));
    assert!(row.acts_for().is_none() && !row.break_glass && row.has_ended(NOW));
    assert_eq!(token(archived.clone(), None, true, NOW).kept, [TOKEN_LIVE], "its secret is another token's");
    let revoked = TokenRow { revoke_time: Some(1), ..archived.clone() };
    assert_eq!(token(archived.clone(), Some(&revoked), true, NOW).kept, [REVOKED_SINCE]);
    assert!(token(archived.clone(), Some(&archived), true, NOW).kept.is_empty());
    let again = token(archived.clone(), Some(&row), true, NOW + 1);
    assert!(again.row.is_none() && again.kept.is_empty(), "a second restore finds it as the first left it");
    assert_eq!(token(revoked.clone(), Some(&archived), true, NOW).kept, [REVOKED_IN_ARCHIVE]);
    let renewed = TokenRow { hash: vec![1], ..archived.clone() };
    assert!(token(archived, Some(&renewed), true, NOW).kept.is_empty(), "a new secret is its holder's");
}

#[test]
fn a_reference_comes_back_without_credentials_that_are_gone() {
    let archived = ReferenceRow {
        kind: "endpoint".into(),
        consumer: "a".into(),
        credential_id: Some("x".into()),
        fallbacks: "y z".into(),
        ..ReferenceRow::default()
    };
    let gone = ["x".to_owned(), "z".to_owned()];
    let decision = reference(archived.clone(), None, &gone, RestoreMode::Replace);
    assert_eq!(decision.kept, [CREDENTIAL_GONE]);
    let row = decision.row.unwrap();
    assert_eq!((row.credential_id, row.fallbacks.as_str()), (None, "y"));
    assert!(reference(archived.clone(), Some(&archived), &[], RestoreMode::Replace).row.is_none());
    let other = ReferenceRow { needs_provider: "p".into(), ..archived.clone() };
    assert_eq!(reference(archived, Some(&other), &[], RestoreMode::Merge).kept, [EXISTS]);
}
