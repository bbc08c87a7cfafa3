//! Revocations after the archive was made remain in force, except for credentials that are explicitly revived.

use strongroom_api::source::v1::RestoreMode;
use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::{
    DeleteCredentialRequest, ReleaseReferenceRequest, RevokeTokenRequest, RotateCredentialRequest,
    UpdateCredentialRequest,
};
use strongroom_testkit::requests::{binding, credential, secret_of, token};
use tonic::Code;

use super::{Archive, Restore, counts, reasons, verified};
use crate::support::{Clients, TestVault, assert_refused};

/// Credentials that are changed after the archive was made, one in each way.
struct Scene {
    admin: Clients,
    archive: Archive,
    rotated: String,
    deactivated: String,
    expiring: String,
    deleted: String,
    renamed: String,
    created: String,
    revoked: String,
}

impl Scene {
    async fn of(vault: &TestVault) -> Self {
        let mut admin = vault.admin().await;
        let mut ids = Vec::new();
        for name in ["rotated", "deactivated", "expiring", "deleted", "renamed"] {
            ids.push(admin.create(credential(name)).await.id);
        }
        let [rotated, deactivated, expiring, deleted, renamed] = <[String; 5]>::try_from(ids).unwrap();
        admin.bind(binding("endpoint", "app", &deleted)).await.unwrap();
        let revoked = admin.issue(token("gateway")).await.unwrap().token.unwrap().id;
        let archive = Archive::of(vault).await;
        let request = RotateCredentialRequest {
            id: rotated.clone(),
            secret: "sk-rotated".into(),
            ..Default::default()
        };
        admin.credentials.rotate_credential(request).await.unwrap();
        admin.deactivate(&deactivated).await;
        admin
            .update(&expiring, |credential| {
                credential.expire_time = Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 });
                "expire_time"
            })
            .await;
        admin
            .update(&renamed, |credential| {
                credential.display_name = "another name".into();
                "display_name"
            })
            .await;
        let request = DeleteCredentialRequest { id: deleted.clone(), ..Default::default() };
        admin.credentials.delete_credential(request).await.unwrap();
        admin.tokens.revoke_token(RevokeTokenRequest { id: revoked.clone() }).await.unwrap();
        let created = admin.create(credential("created")).await.id;
        Self { admin, archive, rotated, deactivated, expiring, deleted, renamed, created, revoked }
    }
}

impl Clients {
    async fn update(&mut self, id: &str, change: impl FnOnce(&mut proto::Credential) -> &'static str) {
        let mut credential = proto::Credential { id: id.into(), ..Default::default() };
        let field = change(&mut credential);
        let update_mask = Some(prost_types::FieldMask { paths: vec![field.into()] });
        let request = UpdateCredentialRequest { credential: Some(credential), update_mask };
        self.credentials.update_credential(request).await.unwrap();
    }

    async fn shown(&mut self, id: &str) -> proto::Credential {
        let request = proto::GetCredentialRequest { id: id.into() };
        self.credentials.get_credential(request).await.unwrap().into_inner().credential.unwrap()
    }
}

#[tokio::test]
async fn nothing_that_was_revoked_comes_back() {
    for vault in TestVault::each().await {
        let mut scene = Scene::of(&vault).await;
        let mut restore = Restore::of(&scene.archive, &vault, RestoreMode::Replace).await;
        let plan = restore.plan().await.unwrap();
        let etag = scene.admin.shown(&scene.renamed).await.etag;
        let done = restore.done().await.stage.unwrap();
        for stage in [&plan, &done] {
            assert_eq!(reasons(stage, &scene.rotated), ["ROTATED_SINCE"]);
            assert_eq!(reasons(stage, &scene.deactivated), ["DEACTIVATED_SINCE"]);
            assert_eq!(reasons(stage, &scene.expiring), ["EXPIRES_EARLIER"]);
            assert_eq!(reasons(stage, &scene.deleted), ["DELETED_SINCE"]);
            assert_eq!(reasons(stage, &scene.revoked), ["REVOKED_SINCE"]);
            let removed = &stage.tables.iter().find(|table| table.name == "credentials").unwrap().examples;
            assert!(
                removed.iter().any(|row| row.id == scene.created && row.name == "created"),
                "{removed:?}"
            );
            assert_eq!(counts(stage, "credentials")[2], 1, "what was created since is listed, and goes");
        }
        let admin = &mut scene.admin;
        assert_eq!(admin.reveal(&scene.rotated).await.unwrap(), "sk-rotated");
        assert_eq!(admin.reveal_previous(&scene.rotated).await.unwrap(), secret_of("rotated"));
        assert_refused(
            admin.reveal(&scene.deactivated).await,
            Code::FailedPrecondition,
            "CREDENTIAL_INACTIVE",
        );
        assert!(admin.shown(&scene.expiring).await.expire_time.is_some());
        assert_eq!(admin.reveal(&scene.deleted).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(admin.reveal(&scene.created).await.unwrap_err().code(), Code::NotFound);
        let renamed = admin.shown(&scene.renamed).await;
        assert_eq!(renamed.display_name, "renamed");
        assert_ne!(renamed.etag, etag, "a reader with the old etag must reread");
        let (_, skipped) =
            admin.resolve("app").await.map_or((String::new(), vec!["none".to_owned()]), |found| found);
        assert_eq!(skipped, ["none"], "its reference leads nowhere");
        verified(admin).await;
    }
}

#[tokio::test]
async fn what_is_named_comes_back_and_nothing_else() {
    for vault in TestVault::each().await {
        let mut scene = Scene::of(&vault).await;
        for (mode, kept) in [(RestoreMode::Merge, "another name"), (RestoreMode::Replace, "renamed")] {
            let named = [scene.deleted.as_str(), scene.rotated.as_str(), scene.deactivated.as_str()];
            let mut restore = Restore::of(&scene.archive, &vault, mode).await.reviving(&named);
            let done = restore.done().await.stage.unwrap();
            for id in named {
                assert!(reasons(&done, id).is_empty(), "{mode:?} {id}");
            }
            let admin = &mut scene.admin;
            assert_eq!(admin.reveal(&scene.deleted).await.unwrap(), secret_of("deleted"));
            assert_eq!(admin.reveal(&scene.rotated).await.unwrap(), secret_of("rotated"));
            assert_eq!(admin.reveal(&scene.deactivated).await.unwrap(), secret_of("deactivated"));
            assert!(admin.shown(&scene.expiring).await.expire_time.is_some(), "it was not revived");
            assert_eq!(admin.shown(&scene.renamed).await.display_name, kept, "{mode:?}");
            let found = admin.reveal(&scene.created).await;
            assert_eq!(found.is_ok(), mode == RestoreMode::Merge, "only `replace` removes a new credential");
            verified(admin).await;
        }
        let mut restore =
            Restore::of(&scene.archive, &vault, RestoreMode::Merge).await.reviving(&["no-such-id"]);
        assert_refused(restore.plan().await, Code::FailedPrecondition, "NONE_TO_REVIVE");
    }
}

#[tokio::test]
async fn a_merge_adds_what_is_missing_and_leaves_the_rest() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let one = admin.create(credential("One")).await.id;
        admin.bind(binding("endpoint", "app", &one)).await.unwrap();
        let archive = Archive::of(&vault).await;
        let release = ReleaseReferenceRequest { kind: "endpoint".into(), consumer: "app".into() };
        admin.references.release_reference(release).await.unwrap();
        let two = admin.create(credential("Two")).await.id;
        let done = Restore::of(&archive, &vault, RestoreMode::Merge).await.done().await.stage.unwrap();
        assert_eq!(counts(&done, "credentials"), [0, 0, 0, 0]);
        assert_eq!(counts(&done, "credential_references"), [1, 0, 0, 0]);
        assert_eq!(admin.resolve("app").await.unwrap().0, secret_of("One"));
        assert_eq!(admin.reveal(&two).await.unwrap(), secret_of("Two"));
        verified(&mut admin).await;
    }
}
