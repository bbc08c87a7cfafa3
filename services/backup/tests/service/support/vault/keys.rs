//! What the vault does with keys: it wraps file keys, and signs manifests.

use std::pin::Pin;

use strongroom_api::vault::v1 as vault;
use strongroom_api::vault::v1::crypto_service_server::CryptoService;
use strongroom_api::vault::v1::seal_service_server::SealService;
use strongroom_crypto::{
    KeyRing, KeyVersion, PublicKey, Purpose, SecretBytes, SignatureDomain, unwrap_file_key, wrap_file_key,
};
use tonic::{Request, Response, Status};

use super::FakeVault;

const SIGNING: &str = "signing";

impl FakeVault {
    fn ring(&self) -> &KeyRing {
        self.state.ring.get_or_init(|| {
            let version = KeyVersion::create(self.root(), SIGNING, Purpose::Signing, 1);
            KeyRing::open(&[self.root()], &[version]).unwrap()
        })
    }

    /// The public half of what manifests are signed with.
    pub(crate) fn signer(&self) -> PublicKey {
        self.ring().public_keys(SIGNING).remove(0)
    }

    /// What the vault would answer to who may open archives.
    pub(crate) fn unwrap_file_key(&self, root_key_id: &str, wrapped: &[u8]) -> SecretBytes {
        unwrap_file_key(&[self.root()], &root_key_id.parse().unwrap(), wrapped).unwrap()
    }
}

#[tonic::async_trait]
impl SealService for FakeVault {
    async fn wrap_file_key(
        &self,
        request: Request<vault::WrapFileKeyRequest>,
    ) -> Result<Response<vault::WrapFileKeyResponse>, Status> {
        let request = request.into_inner();
        assert!(!request.archive_id.is_empty());
        let wrapped = wrap_file_key(self.root(), request.file_key.as_ref().try_into().unwrap());
        let root_key_id = self.root().id().to_string();
        Ok(Response::new(vault::WrapFileKeyResponse { root_key_id, wrapped: wrapped.into() }))
    }

    not_here! {
        unwrap_file_key(UnwrapFileKeyRequest) -> vault::UnwrapFileKeyResponse;
    }
}

#[tonic::async_trait]
impl CryptoService for FakeVault {
    async fn sign_manifest(
        &self,
        request: Request<vault::SignManifestRequest>,
    ) -> Result<Response<vault::SignManifestResponse>, Status> {
        let digest = request.into_inner().sha256.as_ref().try_into().unwrap();
        let signed = self.ring().sign_digest(SIGNING, SignatureDomain::ArchiveManifest, &digest);
        let (kid, signature) = signed.unwrap();
        let signature = signature.to_vec().into();
        Ok(Response::new(vault::SignManifestResponse { signature, kid: kid.to_string() }))
    }

    type CheckDecryptableStream = tokio_stream::Empty<Result<vault::CheckDecryptableResponse, Status>>;

    async fn check_decryptable(
        &self,
        _: Request<tonic::Streaming<vault::CheckDecryptableRequest>>,
    ) -> Result<Response<Self::CheckDecryptableStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    not_here! {
        encrypt(EncryptRequest) -> vault::EncryptResponse;
        decrypt(DecryptRequest) -> vault::DecryptResponse;
        rewrap(RewrapRequest) -> vault::RewrapResponse;
        generate_data_key(GenerateDataKeyRequest) -> vault::GenerateDataKeyResponse;
        batch_encrypt(BatchEncryptRequest) -> vault::BatchEncryptResponse;
        batch_decrypt(BatchDecryptRequest) -> vault::BatchDecryptResponse;
        batch_rewrap(BatchRewrapRequest) -> vault::BatchRewrapResponse;
        batch_generate_data_key(BatchGenerateDataKeyRequest) -> vault::BatchGenerateDataKeyResponse;
        export_signing_key(ExportSigningKeyRequest) -> vault::ExportSigningKeyResponse;
    }
}
