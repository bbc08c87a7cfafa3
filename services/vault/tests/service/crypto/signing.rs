//! Signatures of manifests, one for each archive that is being made, and of sidecars, one for each change.

use sha2::{Digest as _, Sha256};
use strongroom_api::time::to_jiff;
use strongroom_api::vault::v1::{
    ExportSigningKeyRequest, PinKeyVersionsRequest, ReleaseKeyPinsRequest, SignManifestRequest,
    SignSidecarRequest,
};
use strongroom_crypto::{Statement, verify};
use tonic::Code;

use super::fixture::Fixture;
use crate::support::{Clients, assert_field, assert_refused};

const ARCHIVE: &str = "archive-1";

fn of(manifest: &'static str) -> SignManifestRequest {
    SignManifestRequest {
        manifest: manifest.into(),
        archive_id: ARCHIVE.into(),
        ..SignManifestRequest::default()
    }
}

async fn pin(service: &mut Clients) {
    let pin = PinKeyVersionsRequest { archive_id: ARCHIVE.into(), expire_time: None };
    service.keys.pin_key_versions(pin).await.unwrap();
}

fn sidecar(record: &[u8]) -> SignSidecarRequest {
    SignSidecarRequest { archive_id: ARCHIVE.into(), sha256: Sha256::digest(record).to_vec().into() }
}

#[tokio::test]
async fn a_manifest_is_signed_and_verified_without_the_vault() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        pin(&mut service).await;
        let signed = service.crypto.sign_manifest(of("{}")).await.unwrap().into_inner();
        let keys =
            service.crypto.export_signing_key(ExportSigningKeyRequest {}).await.unwrap().into_inner().keys;
        let [key] = keys.as_slice() else { panic!("one key: {keys:?}") };
        assert!(key.primary && key.kid == signed.kid);
        let public = hex::decode(&key.public_key).unwrap().try_into().unwrap();
        let signature = signed.signature.as_ref().try_into().unwrap();
        let time = format!("{:.6}", to_jiff(signed.time.as_ref().unwrap()).unwrap());
        let holds = |manifest: &[u8], archive_id: &str, time: &str| {
            let digest = &Sha256::digest(manifest).into();
            verify(&public, &Statement::ArchiveManifest { archive_id, time, digest }, &signature).is_ok()
        };
        assert!(holds(b"{}", ARCHIVE, &time));
        assert!(!holds(b"{ }", ARCHIVE, &time) && !holds(b"{}", "archive-2", &time));
        assert!(!holds(b"{}", ARCHIVE, "2026-05-06T10:14:22.000000Z"));

        // A manifest that is too long to send: the signature covers its digest in any case.
        let sha256: bytes::Bytes = Sha256::digest(b"{}").to_vec().into();
        let digest = SignManifestRequest { sha256, manifest: "".into(), ..of("") };
        let by_digest = service.crypto.sign_manifest(digest.clone()).await.unwrap().into_inner();
        assert_eq!(by_digest, signed, "the same again");
        let events = vault.admin().await.events_in_order("crypto.manifest_signed").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].metadata["sha256"], format!("{:?}", hex::encode(&digest.sha256)));
        let both = SignManifestRequest { manifest: "{}".into(), ..digest };
        let refused = service.crypto.sign_manifest(both).await.unwrap_err();
        assert_eq!(refused.message(), "sha256: must not be given beside manifest");

        let mut creator = vault.with_role("backup-creator").await;
        assert_eq!(creator.crypto.sign_manifest(of("{}")).await.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn each_archive_has_one_manifest() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        let early = service.crypto.sign_manifest(of("{}")).await;
        assert_refused(early, Code::FailedPrecondition, "ARCHIVE_NOT_PINNED");
        pin(&mut service).await;
        service.crypto.sign_manifest(of("{}")).await.unwrap();
        let second = service.crypto.sign_manifest(of("{ }")).await;
        assert_refused(second, Code::FailedPrecondition, "ARCHIVE_SIGNED");
        let release = ReleaseKeyPinsRequest { archive_id: ARCHIVE.into() };
        service.keys.release_key_pins(release).await.unwrap();
        pin(&mut service).await;
        let again = service.crypto.sign_manifest(of("{ }")).await;
        assert_refused(again, Code::FailedPrecondition, "ARCHIVE_SIGNED");
    }
}

/// The archive has no pins, and its manifest has no signature: its sidecar may be rewritten years later.
#[tokio::test]
async fn a_sidecar_is_signed_as_often_as_it_changes() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        let keys =
            service.crypto.export_signing_key(ExportSigningKeyRequest {}).await.unwrap().into_inner().keys;
        let public = hex::decode(&keys[0].public_key).unwrap().try_into().unwrap();
        for record in [&b"{}"[..], b"{\"hold\":true}", b"{}"] {
            let signed = service.crypto.sign_sidecar(sidecar(record)).await.unwrap().into_inner();
            assert_eq!(signed.kid, keys[0].kid);
            let signature = signed.signature.as_ref().try_into().unwrap();
            let time = format!("{:.6}", to_jiff(signed.time.as_ref().unwrap()).unwrap());
            let (archive_id, time, digest) = (ARCHIVE, time.as_str(), &Sha256::digest(record).into());
            let of_sidecar = Statement::BackupSidecar { archive_id, time, digest };
            verify(&public, &of_sidecar, &signature).unwrap();
            let of_manifest = Statement::ArchiveManifest { archive_id, time, digest };
            assert!(verify(&public, &of_manifest, &signature).is_err(), "it passes as a manifest's");
        }

        let events = vault.admin().await.events_in_order("crypto.sidecar_signed").await;
        let digest = |record: &[u8]| format!("{:?}", hex::encode(Sha256::digest(record)));
        let digests: Vec<_> = events.iter().map(|event| event.metadata["sha256"].clone()).collect();
        assert_eq!(digests, [digest(b"{}"), digest(b"{\"hold\":true}"), digest(b"{}")]);
        for event in &events {
            assert_eq!((&*event.target, &event.metadata["kid"]), (ARCHIVE, &format!("{:?}", keys[0].kid)));
        }
        assert_eq!(vault.database().number("SELECT count(*) FROM manifest_signatures"), 0);
    }
}

#[tokio::test]
async fn a_sidecar_that_cannot_be_signed_leaves_nothing() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        let unnamed = SignSidecarRequest { archive_id: "a/b".into(), ..sidecar(b"{}") };
        assert_field(service.crypto.sign_sidecar(unnamed).await, "archive_id");
        for bytes in [0, 31, 33] {
            let short = SignSidecarRequest { sha256: vec![7; bytes].into(), ..sidecar(b"{}") };
            assert_field(service.crypto.sign_sidecar(short).await, "sha256");
        }
        for role in ["operator", "auditor", "gateway", "backup-creator"] {
            let refused = vault.with_role(role).await.crypto.sign_sidecar(sidecar(b"{}")).await;
            assert_refused(refused, Code::PermissionDenied, "PERMISSION_MISSING");
        }
        assert!(vault.admin().await.events("crypto.*").await.is_empty());
    }
}
