//! Signatures of manifests: one for each archive that is being made.

use sha2::{Digest as _, Sha256};
use strongroom_api::time::to_jiff;
use strongroom_api::vault::v1::{
    ExportSigningKeyRequest, PinKeyVersionsRequest, ReleaseKeyPinsRequest, SignManifestRequest,
};
use strongroom_crypto::{Statement, verify};
use tonic::Code;

use super::fixture::Fixture;
use crate::support::{Clients, assert_refused};

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

        // One that is too long to be sent: the signature is about its digest anyway.
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
