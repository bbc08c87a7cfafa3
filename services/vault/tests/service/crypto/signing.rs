//! Signatures of manifests.

use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::{ExportSigningKeyRequest, SignManifestRequest};
use strongroom_crypto::{SignatureDomain, verify};
use tonic::Code;

use super::fixture::Fixture;

#[tokio::test]
async fn a_manifest_is_signed_and_verified_without_the_vault() {
    for vault in Fixture::each().await {
        let mut service = vault.with_role("backup-service").await;
        let request = SignManifestRequest { manifest: "{}".into(), ..SignManifestRequest::default() };
        let signed = service.crypto.sign_manifest(request.clone()).await.unwrap().into_inner();
        let keys =
            service.crypto.export_signing_key(ExportSigningKeyRequest {}).await.unwrap().into_inner().keys;
        let [key] = keys.as_slice() else { panic!("one key: {keys:?}") };
        assert!(key.primary && key.kid == signed.kid);
        let public = hex::decode(&key.public_key).unwrap().try_into().unwrap();
        let signature = signed.signature.as_ref().try_into().unwrap();
        verify(&public, SignatureDomain::ArchiveManifest, b"{}", &signature).unwrap();
        assert!(verify(&public, SignatureDomain::ArchiveManifest, b"{ }", &signature).is_err());
        assert_eq!(vault.admin().await.events_in_order("crypto.*").await[0].event, "crypto.manifest_signed");

        // One that is too long to be sent: the signature is about its digest anyway.
        let sha256 = Sha256::digest(b"{}").to_vec().into();
        let digest = SignManifestRequest { sha256, ..SignManifestRequest::default() };
        let by_digest = service.crypto.sign_manifest(digest.clone()).await.unwrap().into_inner();
        assert_eq!(by_digest, signed);
        for event in &vault.admin().await.events_in_order("crypto.*").await[..2] {
            assert_eq!(event.metadata["sha256"], format!("{:?}", hex::encode(&digest.sha256)));
        }
        let both = SignManifestRequest { manifest: "{}".into(), ..digest };
        let refused = service.crypto.sign_manifest(both).await.unwrap_err();
        assert_eq!(refused.message(), "sha256: must not be given beside manifest");

        let mut creator = vault.with_role("backup-creator").await;
        assert_eq!(creator.crypto.sign_manifest(request).await.unwrap_err().code(), Code::PermissionDenied);
    }
}
