//! References that go through others, fail over and move.

use std::time::Duration;

use strongroom_api::vault::v1::{
    BindReferenceRequest, CreateCredentialRequest, DeleteCredentialRequest, ListReferencesRequest,
    ReassignReferencesRequest, Reference, ReleaseReferenceRequest, ResolveReferenceRequest,
};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

use super::server::{Clients, TestVault};
use super::{assert_field, assert_refused, binding, create, deactivate, events, new_credential, resolve};

async fn bind(clients: &mut Clients, request: BindReferenceRequest) -> Result<Reference, Status> {
    Ok(clients.references.bind_reference(request).await?.into_inner().reference.unwrap())
}

async fn reassign(clients: &mut Clients, from: &str, to: &str) -> Result<i64, Status> {
    let request = ReassignReferencesRequest { from_credential_id: from.into(), to_credential_id: to.into() };
    Ok(clients.references.reassign_references(request).await?.into_inner().reassigned)
}

#[tokio::test]
async fn resolving_fails_over_and_says_why() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let now = strongroom_runtime::Clock::now_micros(&vault.clock) / 1_000_000;
        let first = create(&mut admin, "first", "openai", &[]).await.id;
        let second = CreateCredentialRequest {
            expire_time: Some(prost_types::Timestamp { seconds: now + 60, nanos: 0 }),
            ..new_credential("second", "openai", &[])
        };
        let second = admin.credentials.create_credential(second).await.unwrap().into_inner();
        let second = second.credential.unwrap().id;
        let third = create(&mut admin, "third", "openai", &[]).await.id;
        let request = BindReferenceRequest {
            fallback_credential_ids: vec![second, third.clone()],
            needs_provider: "openai".into(),
            ..binding("endpoint", "chat", &first)
        };
        let bound = bind(&mut admin, request.clone()).await.unwrap();
        assert_eq!(bound.fallback_credential_ids, request.fallback_credential_ids);

        let secret = |name: &str| format!("sk-the-secret-of-{name}");
        assert_eq!(resolve(&mut admin, "chat").await.unwrap(), (secret("first"), vec![]));
        deactivate(&mut admin, &first).await;
        let inactive = "CREDENTIAL_INACTIVE".to_owned();
        assert_eq!(resolve(&mut admin, "chat").await.unwrap(), (secret("second"), vec![inactive.clone()]));
        vault.clock.advance(Duration::from_secs(60));
        let expired = "CREDENTIAL_EXPIRED".to_owned();
        let expected = (secret("third"), vec![inactive, expired.clone()]);
        assert_eq!(resolve(&mut admin, "chat").await.unwrap(), expected);

        let delete = |id: &str| DeleteCredentialRequest { id: id.into(), ..Default::default() };
        admin.credentials.delete_credential(delete(&first)).await.unwrap();
        let expected = (secret("third"), vec!["CREDENTIAL_NOT_FOUND".to_owned(), expired]);
        assert_eq!(resolve(&mut admin, "chat").await.unwrap(), expected);
        deactivate(&mut admin, &third).await;
        let refused = resolve(&mut admin, "chat").await.unwrap_err();
        assert_eq!(reason_of(&refused), "NO_USABLE_CREDENTIAL");
        assert!(refused.message().contains(&third), "{}", refused.message());

        let logged = events(&mut admin, "reference.resolved").await;
        assert_eq!(logged.len(), 5);
        assert_eq!((logged[0].target.as_str(), logged[0].outcome), ("endpoint/chat", 2), "denied");
        assert_eq!(logged[1].metadata["credential_id"], format!("{third:?}"));
        assert!(logged[1].metadata["skipped"].contains("CREDENTIAL_EXPIRED"));
        assert_refused(resolve(&mut admin, "none").await, Code::NotFound, "REFERENCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_endpoint_goes_through_its_template() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = create(&mut admin, "one", "openai", &[]).await.id;
        let two = create(&mut admin, "two", "anthropic", &[]).await.id;
        let via = |consumer: &str, via: &str| BindReferenceRequest {
            via: via.into(),
            ..binding("endpoint", consumer, "")
        };
        let early = bind(&mut admin, via("chat", "provider_template/openai")).await;
        assert_refused(early, Code::NotFound, "REFERENCE_NOT_FOUND");
        bind(&mut admin, binding("provider_template", "openai", &one)).await.unwrap();
        let bound = bind(&mut admin, via("chat", "provider_template/openai")).await.unwrap();
        assert_eq!((bound.via.as_str(), bound.credential_id.as_str()), ("provider_template/openai", ""));
        let chain = bind(&mut admin, via("other", "endpoint/chat")).await;
        assert_refused(chain, Code::FailedPrecondition, "VIA_NOT_DIRECT");
        let needs = BindReferenceRequest {
            needs_provider: "anthropic".into(),
            ..via("needy", "provider_template/openai")
        };
        assert_refused(bind(&mut admin, needs).await, Code::FailedPrecondition, "PROVIDER_MISMATCH");

        assert_eq!(resolve(&mut admin, "chat").await.unwrap().0, "sk-the-secret-of-one");
        bind(&mut admin, binding("provider_template", "openai", &two)).await.unwrap();
        assert_eq!(resolve(&mut admin, "chat").await.unwrap().0, "sk-the-secret-of-two", "it follows");
        let release = ReleaseReferenceRequest { kind: "provider_template".into(), consumer: "openai".into() };
        admin.references.release_reference(release).await.unwrap();
        assert_refused(resolve(&mut admin, "chat").await, Code::FailedPrecondition, "NO_USABLE_CREDENTIAL");
    }
}

#[tokio::test]
async fn references_move_together_or_not_at_all() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let old = create(&mut admin, "old", "openai", &[]).await.id;
        let new = create(&mut admin, "new", "openai", &[]).await.id;
        let other = create(&mut admin, "other", "anthropic", &[]).await.id;
        bind(&mut admin, binding("endpoint", "chat", &old)).await.unwrap();
        let needs =
            BindReferenceRequest { needs_provider: "openai".into(), ..binding("endpoint", "needy", &old) };
        bind(&mut admin, needs).await.unwrap();
        let mismatch = reassign(&mut admin, &old, &other).await;
        assert_refused(mismatch, Code::FailedPrecondition, "PROVIDER_MISMATCH");
        assert_eq!(resolve(&mut admin, "chat").await.unwrap().0, "sk-the-secret-of-old");
        assert_eq!(reassign(&mut admin, &old, &new).await.unwrap(), 2);
        assert_eq!(resolve(&mut admin, "chat").await.unwrap().0, "sk-the-secret-of-new");
        let logged = events(&mut admin, "reference.reassigned").await;
        assert_eq!((logged.len(), logged[0].metadata["references"].as_str()), (1, "2"));
        assert_refused(reassign(&mut admin, "none", &new).await, Code::NotFound, "CREDENTIAL_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_fallback_must_exist_and_fit() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let one = create(&mut admin, "one", "openai", &[]).await.id;
        let two = create(&mut admin, "two", "anthropic", &[]).await.id;
        let with = |fallback: &str| BindReferenceRequest {
            needs_provider: "openai".into(),
            fallback_credential_ids: vec![fallback.into()],
            ..binding("endpoint", "chat", &one)
        };
        assert_refused(bind(&mut admin, with(&two)).await, Code::FailedPrecondition, "PROVIDER_MISMATCH");
        assert_refused(bind(&mut admin, with("none")).await, Code::NotFound, "CREDENTIAL_NOT_FOUND");
        assert!(events(&mut admin, "reference.*").await.is_empty());
    }
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let id = create(&mut admin, "one", "openai", &[]).await.id;
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
        assert_field(bind(&mut admin, request).await, field);
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
    assert!(events(&mut admin, "reference.*").await.is_empty(), "nothing was changed");
}
