//! The vault's database is lost; the root key and an archive remain.

use strongroom_api::source::v1::RestoreMode;
use strongroom_api::vault::v1::{
    ExportKeyRingRequest, GetAuditHeadRequest, ReissueTokenRequest, VerifyAuditLogRequest,
};
use strongroom_testkit::requests::{self, CredentialBuilder as _, binding, credential, secret_of, token};
use tonic::Code;

use super::{Archive, Restore, counts, refused_as, verified};
use crate::support::{Clients, TestVault, assert_refused};

/// The columns that a restore brings back unchanged, by table.
const EQUAL: [&str; 4] = [
    "SELECT string_agg(id || display_name || provider || secret || preview || CAST(active AS text) || \
     CAST(create_time AS text) || CAST(update_time AS text) || coalesce(CAST(expire_time AS text), '-') || labels || \
     CAST(secret_time AS text) || coalesce(CAST(deactivate_time AS text), '-'), '|' ORDER BY id) FROM credentials",
    "SELECT string_agg(id || credential_id || secret || preview || CAST(create_time AS text) || \
     CAST(expire_time AS text), '|' ORDER BY id) FROM credential_versions",
    "SELECT string_agg(kind || consumer || coalesce(credential_id, '-') || needs_provider || CAST(create_time AS text) || \
     CAST(update_time AS text) || via_kind || via_consumer || fallbacks, '|' ORDER BY kind, consumer) FROM \
     credential_references",
    "SELECT string_agg(id || display_name || provider || CAST(delete_time AS text), '|' ORDER BY id) FROM \
     credential_tombstones",
];

/// A vault with something in every table.
async fn filled(admin: &mut Clients) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ["One", "Two", "Three", "Gone"] {
        let request = credential(name).labels(&[("env", "prod"), ("team", name)]);
        ids.push(admin.create(request).await.id);
    }
    requests_of(admin, &ids).await;
    ids
}

async fn requests_of(admin: &mut Clients, ids: &[String]) {
    let rotate = strongroom_api::vault::v1::RotateCredentialRequest {
        id: ids[0].clone(),
        secret: "sk-the-newer-one".into(),
        ..Default::default()
    };
    admin.credentials.rotate_credential(rotate).await.unwrap();
    admin.deactivate(&ids[2]).await;
    admin.bind(binding("endpoint", "direct", &ids[0])).await.unwrap();
    admin.bind(binding("endpoint", "other", &ids[1])).await.unwrap();
    let delete =
        strongroom_api::vault::v1::DeleteCredentialRequest { id: ids[3].clone(), ..Default::default() };
    admin.credentials.delete_credential(delete).await.unwrap();
}

#[tokio::test]
async fn the_root_key_and_one_archive_bring_everything_back() {
    for old in TestVault::each().await {
        let mut before = old.admin().await;
        let ids = filled(&mut before).await;
        let issued = before.issue(token("gateway")).await.unwrap();
        let archive = Archive::of(&old).await;
        let head = before.audit.get_audit_head(GetAuditHeadRequest {}).await.unwrap().into_inner();
        let rows = EQUAL.map(|sql| old.database.text(sql));

        let new = old.new_like(&old.root_key(), &[]).await;
        let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
        let plan = restore.plan().await.unwrap();
        assert_eq!(counts(&plan, "credentials"), [3, 0, 0, 0]);
        assert!(
            plan.warnings.iter().any(|warning| warning.contains(&archive.identity.deployment_id)),
            "{:?}",
            plan.warnings
        );
        assert_eq!(new.number("SELECT count(*) FROM credentials"), 0, "a plan changes nothing");
        assert_eq!(new.number("SELECT count(*) FROM restore_stages"), 0, "and leaves nothing");

        let done = restore.done().await;
        assert_eq!(EQUAL.map(|sql| new.database.text(sql)), rows);
        assert_eq!(new.number("SELECT count(*) FROM credential_labels"), 6);
        let mut after = new.admin().await;
        assert_eq!(after.reveal(&ids[0]).await.unwrap(), "sk-the-newer-one");
        assert_eq!(after.reveal_previous(&ids[0]).await.unwrap(), secret_of("One"));
        assert_eq!(after.resolve("other").await.unwrap().0, secret_of("Two"));
        assert_refused(after.reveal(&ids[2]).await, Code::FailedPrecondition, "CREDENTIAL_INACTIVE");
        verified(&mut after).await;

        // The old head belongs to another log, which the restore names.
        let request = VerifyAuditLogRequest {
            anchor_sequence: head.sequence,
            anchor_mac: head.mac,
            anchor_chain: head.chain.clone(),
        };
        let answer = after.audit.verify_audit_log(request.clone()).await.unwrap().into_inner();
        assert!(answer.ok && answer.note.contains(&restore.id), "{answer:?}");
        let strange = VerifyAuditLogRequest { anchor_chain: "another".into(), ..request };
        let answer = after.audit.verify_audit_log(strange).await.unwrap().into_inner();
        assert!(!answer.ok, "a head of a log that nobody knows is a problem");

        stale_until_reissued(&new, &mut after, &issued.secret, &done.stale_token_ids).await;
        let ring = after.keys.export_key_ring(ExportKeyRingRequest::default()).await.unwrap().into_inner();
        assert_eq!(ring.deployment_id, archive.identity.deployment_id, "it is that deployment now");
        let _ = Archive::of(&new).await;
        restarted(new, &ids[0]).await;
    }
}

/// The old token is refused with the reason, and works again with a new secret.
async fn stale_until_reissued(new: &TestVault, admin: &mut Clients, secret: &str, stale: &[String]) {
    let id = secret.trim_start_matches("srt_");
    assert!(stale.iter().any(|stale| id.starts_with(stale)), "{stale:?}");
    let mut caller = new.clients(secret);
    let refused = caller.reveal("00000000-0000-0000-0000-000000000000").await.unwrap_err();
    refused_as(&refused, Code::Unauthenticated, "TOKEN_STALE");
    let known = admin.tokens.introspect_token(requests::introspect(secret)).await.unwrap().into_inner();
    assert!(known.stale && !known.active && id.starts_with(&known.stale_token_id));
    let reissue = ReissueTokenRequest { id: known.stale_token_id };
    let again = admin.tokens.reissue_token(reissue).await.unwrap().into_inner();
    let mut caller = new.clients(&again.secret);
    let missing = caller.reveal("00000000-0000-0000-0000-000000000000").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

async fn restarted(new: TestVault, id: &str) {
    let new = new.restarted().await;
    assert_eq!(new.admin().await.reveal(id).await.unwrap(), "sk-the-newer-one");
}

#[tokio::test]
async fn a_copy_stays_the_deployment_that_it_is() {
    let old = TestVault::sqlite().await;
    let id = old.admin().await.create(credential("One")).await.id;
    let archive = Archive::of(&old).await;
    let new = old.new_like(&old.root_key(), &[]).await;
    let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
    restore.begin.as_copy = true;
    let _ = restore.done().await;
    let mut after = new.admin().await;
    assert_eq!(after.reveal(&id).await.unwrap(), secret_of("One"));
    let own =
        after.keys.export_key_ring(ExportKeyRingRequest::default()).await.unwrap().into_inner().deployment_id;
    assert_ne!(own, archive.identity.deployment_id);
    verified(&mut after).await;

    // Now that the vault has credentials, an archive of another deployment must be named.
    let mut again = Restore::of(&archive, &new, RestoreMode::Merge).await;
    assert_refused(again.plan().await, Code::FailedPrecondition, "FOREIGN_DEPLOYMENT");
    again.begin.from_deployment.clone_from(&archive.identity.deployment_id);
    assert_eq!(counts(&again.plan().await.unwrap(), "credentials"), [0, 0, 0, 0], "all are there");
    let mut again = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
    again.begin.from_deployment.clone_from(&archive.identity.deployment_id);
    assert_refused(again.plan().await, Code::FailedPrecondition, "NOT_EMPTY");
}
