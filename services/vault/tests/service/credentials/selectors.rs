//! Tokens that see only a part of the deployment.

use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_api::vault::v1::{
    ActivateCredentialRequest, BindReferenceRequest, Credential, DeleteCredentialRequest,
    GetCredentialRequest, GetCredentialStatsRequest, ListCredentialsRequest, ListReferencesRequest,
    ListTokensRequest, ReassignReferencesRequest, ReleaseReferenceRequest, RollbackCredentialRequest,
    RotateCredentialRequest, Selector, UpdateCredentialRequest,
};
use strongroom_testkit::requests::{
    CredentialBuilder as _, TokenBuilder as _, binding, credential, introspect, token,
};
use tonic::{Code, Status};

use crate::support::{Clients, TestVault, assert_field, assert_refused};

const STAGING: &[(&str, &str)] = &[("env", "staging")];
const PRODUCTION: &[(&str, &str)] = &[("env", "production")];

fn label(pair: &str) -> Selector {
    Selector { selector: Some(Kind::Label(pair.into())) }
}

fn of_kind(kind: &str) -> Selector {
    Selector { selector: Some(Kind::ReferenceKind(kind.into())) }
}

fn of_provider(provider: &str) -> Selector {
    Selector { selector: Some(Kind::Provider(provider.into())) }
}

/// Calls that name a credential outside the caller's selection, and their results.
async fn touch(clients: &mut Clients, id: &str, inside: &str) -> Vec<(&'static str, Result<(), Status>)> {
    let id = || id.to_owned();
    let get = GetCredentialRequest { id: id() };
    let update = UpdateCredentialRequest {
        credential: Some(Credential { id: id(), display_name: "mine".into(), ..Default::default() }),
        update_mask: None,
    };
    let activate = ActivateCredentialRequest { id: id(), etag: String::new() };
    let delete = DeleteCredentialRequest { id: id(), ..Default::default() };
    let rotate = RotateCredentialRequest { id: id(), secret: "mine".into(), ..Default::default() };
    let back = RollbackCredentialRequest { id: id(), etag: String::new() };
    let away = ReassignReferencesRequest { from_credential_id: id(), to_credential_id: inside.into() };
    let here = ReassignReferencesRequest { from_credential_id: inside.into(), to_credential_id: id() };
    let fallback =
        BindReferenceRequest { fallback_credential_ids: vec![id()], ..binding("endpoint", "mine", inside) };
    let reveal = clients.reveal(&id()).await.map(|_| ());
    let Clients { credentials, references, .. } = clients;
    vec![
        ("get", credentials.get_credential(get).await.map(|_| ())),
        ("update", credentials.update_credential(update).await.map(|_| ())),
        ("activate", credentials.activate_credential(activate).await.map(|_| ())),
        ("delete", credentials.delete_credential(delete).await.map(|_| ())),
        ("rotate", credentials.rotate_credential(rotate).await.map(|_| ())),
        ("roll back", credentials.rollback_credential(back).await.map(|_| ())),
        ("reveal", reveal),
        ("bind", references.bind_reference(binding("endpoint", "mine", &id())).await.map(|_| ())),
        ("fall back", references.bind_reference(fallback).await.map(|_| ())),
        ("reassign away", references.reassign_references(away).await.map(|_| ())),
        ("reassign here", references.reassign_references(here).await.map(|_| ())),
    ]
}

#[tokio::test]
async fn what_is_outside_does_not_exist() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let inside = admin.create(credential("staging").labels(STAGING)).await.id;
        let outside =
            admin.create(credential("production").provider("anthropic").labels(PRODUCTION)).await.id;
        admin.bind(binding("endpoint", "staging", &inside)).await.unwrap();
        admin.bind(binding("endpoint", "production", &outside)).await.unwrap();
        let selectors = vec![label("env=staging"), of_kind("*")];
        let issued = admin.issue(token("admin").selectors(selectors)).await.unwrap();
        let mut staging = vault.clients(&issued.secret);

        for (verb, answer) in touch(&mut staging, &outside, &inside).await {
            let missing = answer.unwrap_err();
            let known = touch(&mut staging, "0190a1b2-none", &inside).await;
            let unknown = known.into_iter().find(|(other, _)| *other == verb).unwrap().1.unwrap_err();
            assert_eq!(missing.code(), Code::NotFound, "{verb}: {}", missing.message());
            let said = missing.message().replace(&outside, "ID");
            assert_eq!(said, unknown.message().replace("0190a1b2-none", "ID"), "{verb} tells nothing");
        }
        let listed = staging.credentials.list_credentials(ListCredentialsRequest::default()).await.unwrap();
        let ids: Vec<_> = listed.into_inner().credentials.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, std::slice::from_ref(&inside));
        let stats = staging.credentials.get_credential_stats(GetCredentialStatsRequest {}).await.unwrap();
        let stats = stats.into_inner();
        assert_eq!((stats.total, stats.active, stats.providers), (1, 1, vec!["openai".to_owned()]));
        let listed = staging.references.list_references(ListReferencesRequest::default()).await.unwrap();
        let names: Vec<_> = listed.into_inner().references.into_iter().map(|one| one.consumer).collect();
        assert_eq!(names, ["staging"]);

        assert_refused(staging.resolve("production").await, Code::NotFound, "REFERENCE_NOT_FOUND");
        let release = ReleaseReferenceRequest { kind: "endpoint".into(), consumer: "production".into() };
        let released = staging.references.release_reference(release).await;
        assert_refused(released, Code::NotFound, "REFERENCE_NOT_FOUND");
        let taken = staging.bind(binding("endpoint", "production", &inside)).await;
        assert_refused(taken, Code::PermissionDenied, "OUTSIDE_SELECTION");

        assert_eq!(staging.reveal(&inside).await.unwrap(), "sk-the-secret-of-staging");
        assert_eq!(staging.resolve("staging").await.unwrap().0, "sk-the-secret-of-staging");
        assert_eq!(admin.resolve("production").await.unwrap().0, "sk-the-secret-of-production");
    }
}

#[tokio::test]
async fn a_fallback_outside_is_passed_over() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let inside = admin.create(credential("staging").labels(STAGING)).await.id;
        let outside = admin.create(credential("production").labels(PRODUCTION)).await.id;
        let request = BindReferenceRequest {
            fallback_credential_ids: vec![inside],
            ..binding("endpoint", "chat", &outside)
        };
        admin.bind(request).await.unwrap();
        let selectors = vec![label("env=staging"), of_kind("*")];
        let issued = admin.issue(token("gateway").selectors(selectors)).await.unwrap();
        let mut staging = vault.clients(&issued.secret);
        let (secret, skipped) = staging.resolve("chat").await.unwrap();
        assert_eq!((secret.as_str(), skipped.len()), ("sk-the-secret-of-staging", 1));
        assert_eq!(skipped[0], "CREDENTIAL_NOT_FOUND");
    }
}

#[tokio::test]
async fn nothing_is_made_or_moved_outside() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let selectors = vec![label("env=staging"), of_provider("openai"), of_kind("end*")];
        let issued = admin.issue(token("admin").selectors(selectors)).await.unwrap();
        let mut staging = vault.clients(&issued.secret);
        for refused in [
            credential("a").labels(PRODUCTION),
            credential("a"),
            credential("a").provider("anthropic").labels(STAGING),
        ] {
            let refused = staging.credentials.create_credential(refused).await;
            assert_refused(refused, Code::PermissionDenied, "OUTSIDE_SELECTION");
        }
        let own = staging.create(credential("own").labels(STAGING)).await;
        let relabel = UpdateCredentialRequest {
            credential: Some(Credential {
                id: own.id.clone(),
                labels: [("env".into(), "production".into())].into(),
                ..Default::default()
            }),
            update_mask: None,
        };
        let moved = staging.credentials.update_credential(relabel).await;
        assert_refused(moved, Code::PermissionDenied, "OUTSIDE_SELECTION");
        let kind = staging.bind(binding("pii_config", "a", &own.id)).await;
        assert_refused(kind, Code::PermissionDenied, "OUTSIDE_SELECTION");
        staging.bind(binding("endpoint", "a", &own.id)).await.unwrap();
        let denied = admin.events("access.denied").await;
        assert_eq!(denied.len(), 5, "each refusal is in the log");
        assert!(denied[0].metadata["selector"].contains("end*"), "{:?}", denied[0].metadata);
    }
}

#[tokio::test]
async fn a_narrowed_token_issues_nothing_wider() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let issued = admin
            .issue(token("admin").selectors(vec![label("env=staging"), label("env=dev")]))
            .await
            .unwrap();
        let mut narrow = vault.clients(&issued.secret);
        for wider in [vec![], vec![label("env=production")], vec![of_provider("openai")], vec![of_kind("*")]]
        {
            let refused = narrow.issue(token("gateway").selectors(wider)).await;
            assert_refused(refused, Code::PermissionDenied, "OUTSIDE_SELECTION");
        }
        let same = narrow
            .issue(token("gateway").selectors(vec![label("env=dev"), of_provider("openai")]))
            .await
            .unwrap();
        let known = admin.tokens.introspect_token(introspect(&same.secret)).await.unwrap();
        assert_eq!(known.into_inner().selectors, vec![label("env=dev"), of_provider("openai")]);
        let all = narrow.tokens.list_tokens(ListTokensRequest::default()).await;
        assert_refused(all, Code::PermissionDenied, "PERMISSION_MISSING");
        let wider_role = narrow.issue(token("auditor").selectors(vec![label("env=dev")])).await;
        assert_refused(wider_role, Code::PermissionDenied, "PERMISSION_MISSING");
    }
}

#[tokio::test]
async fn bad_selectors_are_refused() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let key = |key: &str| Selector { selector: Some(Kind::Key(key.into())) };
    for (field, wrong) in [
        ("selectors[0]", vec![Selector { selector: None }]),
        ("selectors[1].label", vec![label("env=x"), label("env")]),
        ("selectors[0].label", vec![label("Env=x")]),
        ("selectors[0].label", vec![label(&format!("env={}", "x".repeat(201)))]),
        ("selectors[0].provider", vec![of_provider("Open AI")]),
        ("selectors[0].reference_kind", vec![of_kind("**")]),
        ("selectors[0].reference_kind", vec![of_kind("a*b")]),
        ("selectors[0].key", vec![key("")]),
        ("selectors", vec![label("env=x"); 33]),
    ] {
        assert_field(admin.issue(token("gateway").selectors(wrong)).await, field);
    }
    assert_eq!(admin.events("token.issued").await.len(), 1, "the first admin's alone");
}
