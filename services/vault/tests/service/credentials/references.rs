//! References that go through others, fail over and move.

use std::time::Duration;

use strongroom_api::vault::v1::{
    BindReferenceRequest, CreateCredentialRequest, DeleteCredentialRequest, ListReferencesRequest,
    ReassignReferencesRequest, ReleaseReferenceRequest, ResolveReferenceRequest,
};
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::{CredentialBuilder as _, binding, credential, secret_of};
use tonic::{Code, Status};

use crate::support::{Clients, TestVault, assert_field, assert_refused};

async fn reassign(clients: &mut Clients, from: &str, to: &str) -> Result<i64, Status> {
    let request = ReassignReferencesRequest { from_credential_id: from.into(), to_credential_id: to.into() };
    Ok(clients.references.reassign_references(request).await?.into_inner().reassigned)
}

#[tokio::test]
async fn resolving_fails_over_and_says_why() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let now = strongroom_runtime::Clock::now_micros(&vault.clock) / 1_000_000;
        let first = admin.create(credential("first")).await.id;
        let second = CreateCredentialRequest {
            expire_time: Some(prost_types::Timestamp { seconds: now + 60, nanos: 0 }),
            ..credential("second")
        };
        let second = admin.create(second).await.id;
        let third = admin.create(credential("third")).await.id;
        let request = BindReferenceRequest {
            fallback_credential_ids: vec![second, third.clone()],
            needs_provider: "openai".into(),
            ..binding("endpoint", "chat", &first)
        };
        let bound = admin.bind(request.clone()).await.unwrap();
        assert_eq!(bound.fallback_credential_ids, request.fallback_credential_ids);

        assert_eq!(admin.resolve("chat").await.unwrap(), (secret_of("first"), vec![]));
        admin.deactivate(&first).await;
        let inactive = "CREDENTIAL_INACTIVE".to_owned();
        assert_eq!(admin.resolve("chat").await.unwrap(), (secret_of("second"), vec![inactive.clone()]));
        vault.clock.advance(Duration::from_secs(60));
        let expired = "CREDENTIAL_EXPIRED".to_owned();
        let expected = (secret_of("third"), vec![inactive, expired.clone()]);
        assert_eq!(admin.resolve("chat").await.unwrap(), expected);

        let delete = |id: &str| DeleteCredentialRequest { id: id.into(), ..Default::default() };
        admin.credentials.delete_credential(delete(&first)).await.unwrap();
        let expected = (secret_of("third"), vec!["CREDENTIAL_NOT_FOUND".to_owned(), expired]);
        assert_eq!(admin.resolve("chat").await.unwrap(), expected);
        admin.deactivate(&third).await;
        let refused = admin.resolve("chat").await.unwrap_err();
        assert_eq!(reason_of(&refused), "NO_USABLE_CREDENTIAL");
        assert!(refused.message().contains(&third), "{}", refused.message());

        let logged = admin.events("reference.resolved").await;
        assert_eq!(logged.len(), 5);
        assert_eq!((logged[0].target.as_str(), logged[0].outcome), ("endpoint/chat", 2), "denied");
        assert_eq!(logged[1].metadata["credential_id"], format!("{third:?}"));
        assert!(logged[1].metadata["skipped"].contains("CREDENTIAL_EXPIRED"));
        assert_refused(admin.resolve("none").await, Code::NotFound, "REFERENCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_endpoint_goes_through_its_template() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await.id;
        let two = admin.create(credential("two").provider("anthropic")).await.id;
        let via = |consumer: &str, via: &str| BindReferenceRequest {
            via: via.into(),
            ..binding("endpoint", consumer, "")
        };
        let early = admin.bind(via("chat", "provider_template/openai")).await;
        assert_refused(early, Code::NotFound, "REFERENCE_NOT_FOUND");
        admin.bind(binding("provider_template", "openai", &one)).await.unwrap();
        let bound = admin.bind(via("chat", "provider_template/openai")).await.unwrap();
        assert_eq!((bound.via.as_str(), bound.credential_id.as_str()), ("provider_template/openai", ""));
        let chain = admin.bind(via("other", "endpoint/chat")).await;
        assert_refused(chain, Code::FailedPrecondition, "VIA_NOT_DIRECT");
        let needs = BindReferenceRequest {
            needs_provider: "anthropic".into(),
            ..via("needy", "provider_template/openai")
        };
        assert_refused(admin.bind(needs).await, Code::FailedPrecondition, "PROVIDER_MISMATCH");

        assert_eq!(admin.resolve("chat").await.unwrap().0, "sk-the-secret-of-one");
        admin.bind(binding("provider_template", "openai", &two)).await.unwrap();
        assert_eq!(admin.resolve("chat").await.unwrap().0, "sk-the-secret-of-two", "it follows");
        let release = ReleaseReferenceRequest { kind: "provider_template".into(), consumer: "openai".into() };
        admin.references.release_reference(release).await.unwrap();
        assert_refused(admin.resolve("chat").await, Code::FailedPrecondition, "NO_USABLE_CREDENTIAL");
    }
}

#[tokio::test]
async fn references_move_together_or_not_at_all() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let old = admin.create(credential("old")).await.id;
        let new = admin.create(credential("new")).await.id;
        let other = admin.create(credential("other").provider("anthropic")).await.id;
        admin.bind(binding("endpoint", "chat", &old)).await.unwrap();
        let needs =
            BindReferenceRequest { needs_provider: "openai".into(), ..binding("endpoint", "needy", &old) };
        admin.bind(needs).await.unwrap();
        let mismatch = reassign(&mut admin, &old, &other).await;
        assert_refused(mismatch, Code::FailedPrecondition, "PROVIDER_MISMATCH");
        assert_eq!(admin.resolve("chat").await.unwrap().0, "sk-the-secret-of-old");
        assert_eq!(reassign(&mut admin, &old, &new).await.unwrap(), 2);
        assert_eq!(admin.resolve("chat").await.unwrap().0, "sk-the-secret-of-new");
        let logged = admin.events("reference.reassigned").await;
        assert_eq!((logged.len(), logged[0].metadata["references"].as_str()), (1, "2"));
        assert_refused(reassign(&mut admin, "none", &new).await, Code::NotFound, "CREDENTIAL_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_fallback_must_exist_and_fit() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("one")).await.id;
        let two = admin.create(credential("two").provider("anthropic")).await.id;
        let with = |fallback: &str| BindReferenceRequest {
            needs_provider: "openai".into(),
            fallback_credential_ids: vec![fallback.into()],
            ..binding("endpoint", "chat", &one)
        };
        assert_refused(admin.bind(with(&two)).await, Code::FailedPrecondition, "PROVIDER_MISMATCH");
        assert_refused(admin.bind(with("none")).await, Code::NotFound, "CREDENTIAL_NOT_FOUND");
        assert!(admin.events("reference.*").await.is_empty());
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let id = admin.create(credential("one")).await.id;
    let base = || binding("endpoint", "chat", &id);
    let via = |via: &str| BindReferenceRequest { via: via.into(), ..binding("endpoint", "chat", "") };
    let fallbacks = |ids: Vec<String>| BindReferenceRequest { fallback_credential_ids: ids, ..base() };
    for (field, request) in [
        ("kind", BindReferenceRequest { kind: String::new(), ..base() }),
        ("kind", BindReferenceRequest { kind: "End".into(), ..base() }),
        ("consumer", BindReferenceRequest { consumer: String::new(), ..base() }),
        ("consumer", BindReferenceRequest { consumer: "x".repeat(201), ..base() }),
        ("credential_id", BindReferenceRequest { credential_id: String::new(), ..base() }),
        ("credential_id", BindReferenceRequest { credential_id: "a b".into(), ..base() }),
        ("needs_provider", BindReferenceRequest { needs_provider: "Open AI".into(), ..base() }),
        ("via", BindReferenceRequest { via: "template/a".into(), ..base() }),
        ("via", via("template")),
        ("via", via("Template/a")),
        ("via", via("template/")),
        ("via", via("endpoint/chat")),
        ("fallback_credential_ids", fallbacks((0..9).map(|number| format!("id-{number}")).collect())),
        ("fallback_credential_ids", fallbacks(vec!["a".into(), "a".into()])),
        ("fallback_credential_ids", fallbacks(vec![id.clone()])),
        ("fallback_credential_ids[0]", fallbacks(vec![String::new()])),
    ] {
        assert_field(admin.bind(request).await, field);
    }
    assert_field(reassign(&mut admin, "", &id).await, "from_credential_id");
    assert_field(reassign(&mut admin, &id, "").await, "to_credential_id");
    assert_field(reassign(&mut admin, &id, &id).await, "to_credential_id");
    for (field, kind, consumer) in [("kind", "End", "chat"), ("consumer", "endpoint", "")] {
        let (kind, consumer) = (kind.to_owned(), consumer.to_owned());
        let release = ReleaseReferenceRequest { kind: kind.clone(), consumer: consumer.clone() };
        assert_field(admin.references.release_reference(release).await, field);
        let resolve = ResolveReferenceRequest { kind, consumer };
        assert_field(admin.references.resolve_reference(resolve).await, field);
    }
    for (field, request) in [
        ("page_size", ListReferencesRequest { page_size: -1, ..Default::default() }),
        ("page_token", ListReferencesRequest { page_token: "x".into(), ..Default::default() }),
        ("credential_id", ListReferencesRequest { credential_id: "x".repeat(201), ..Default::default() }),
        ("kind", ListReferencesRequest { kind: "x".repeat(201), ..Default::default() }),
    ] {
        assert_field(admin.references.list_references(request).await, field);
    }
    assert!(admin.events("reference.*").await.is_empty(), "nothing was changed");
}
