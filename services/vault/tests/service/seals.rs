//! File keys of archives: who may have them wrapped and unwrapped, and the events.

use strongroom_api::vault::v1::{
    UnwrapFileKeyRequest, WrapFileKeyRequest, WrapFileKeyResponse, WrappedFileKey,
};
use strongroom_crypto::{RootKey, wrap_file_key};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use crate::support::TestVault;

const FILE_KEY: [u8; 16] = *b"0123456789abcdef";
const ROLES: [&str; 6] = ["admin", "operator", "auditor", "gateway", "backup-service", "backup-creator"];

fn wrap() -> WrapFileKeyRequest {
    WrapFileKeyRequest { file_key: FILE_KEY.to_vec().into(), archive_id: "archive-7".into() }
}

fn unwrap(stanzas: &[&WrapFileKeyResponse]) -> UnwrapFileKeyRequest {
    let stanza = |wrapped: &&WrapFileKeyResponse| WrappedFileKey {
        root_key_id: wrapped.root_key_id.clone(),
        wrapped: wrapped.wrapped.clone(),
    };
    UnwrapFileKeyRequest { stanzas: stanzas.iter().map(stanza).collect() }
}

/// A key wrapped by another vault; its root key pretends to have the given id, if any.
fn foreign(root_key_id: Option<&str>) -> WrapFileKeyResponse {
    let root = RootKey::generate();
    let id = root_key_id.map_or_else(|| root.id().to_string(), str::to_owned);
    WrapFileKeyResponse { root_key_id: id, wrapped: wrap_file_key(&root, &FILE_KEY).into() }
}

#[tokio::test]
async fn a_file_key_comes_back_and_both_ways_are_in_the_log() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let wrapped = admin.seals.wrap_file_key(wrap()).await.unwrap().into_inner();
        assert!(!wrapped.wrapped.windows(16).any(|part| part == FILE_KEY));
        // A stanza of another vault and a changed one are skipped.
        let (other, changed) = (foreign(None), foreign(Some(&wrapped.root_key_id)));
        let request = unwrap(&[&other, &changed, &wrapped]);
        let opened = admin.seals.unwrap_file_key(request).await.unwrap().into_inner();
        assert_eq!(opened.file_key.as_ref(), FILE_KEY);
        assert!(!format!("{opened:?}").contains("48, 49"), "{opened:?}");

        let events = admin.events_in_order("archive.*").await;
        let [made, read] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((made.event.as_str(), made.target.as_str()), ("archive.key_wrapped", "archive-7"));
        assert_eq!(read.event, "archive.key_unwrapped");
        assert_eq!(read.target, wrapped.root_key_id);
        assert_eq!(made.metadata["wrapped_sha256"], read.metadata["wrapped_sha256"]);
    }
}

#[tokio::test]
async fn what_does_not_open_says_why_and_is_in_the_log() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let wrapped = admin.seals.wrap_file_key(wrap()).await.unwrap().into_inner();
    let (other, changed) = (foreign(None), foreign(Some(&wrapped.root_key_id)));
    for (stanzas, code, reason) in [
        (vec![&other], Code::FailedPrecondition, "ROOT_KEY_MISSING"),
        (vec![&changed], Code::InvalidArgument, "FILE_KEY_INVALID"),
        (vec![&other, &changed], Code::InvalidArgument, "FILE_KEY_INVALID"),
        (vec![&changed, &other], Code::InvalidArgument, "FILE_KEY_INVALID"),
    ] {
        let refused = admin.seals.unwrap_file_key(unwrap(&stanzas)).await.unwrap_err();
        assert_eq!((refused.code(), reason_of(&refused).as_str()), (code, reason), "{refused:?}");
        let last = admin.events_in_order("archive.*").await.pop().unwrap();
        assert_eq!((last.event.as_str(), last.outcome), ("archive.key_unwrapped", 3), "{last:?}");
    }
}

#[tokio::test]
async fn each_role_seals_and_opens_only_what_it_may() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let wrapped = admin.seals.wrap_file_key(wrap()).await.unwrap().into_inner();
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for role in ROLES {
        let mut seals = vault.with_role(role).await.seals;
        let answers = [
            (&mut sealing, seals.wrap_file_key(wrap()).await.map(drop)),
            (&mut opening, seals.unwrap_file_key(unwrap(&[&wrapped])).await.map(drop)),
        ];
        for (may, answer) in answers {
            match answer {
                Ok(()) => may.push(role),
                Err(status) => assert_eq!(status.code(), Code::PermissionDenied, "{role}: {status:?}"),
            }
        }
    }
    assert_eq!(sealing, ["admin", "operator", "backup-service"]);
    assert_eq!(opening, ["admin", "backup-service"], "the latter verifies archives for those who may not");
}
