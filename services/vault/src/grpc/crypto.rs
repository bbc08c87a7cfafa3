//! `CryptoService`.

use strongroom_api::vault::v1::crypto_service_server::CryptoService;
use strongroom_api::vault::v1::{
    BatchDecryptRequest, BatchDecryptResponse, BatchEncryptRequest, BatchEncryptResponse,
    BatchGenerateDataKeyRequest, BatchGenerateDataKeyResponse, BatchRewrapRequest, BatchRewrapResponse,
    CheckDecryptableRequest, CheckDecryptableResponse, DecryptRequest, DecryptResponse, EncryptRequest,
    EncryptResponse, ExportSigningKeyRequest, ExportSigningKeyResponse, GenerateDataKeyRequest,
    GenerateDataKeyResponse, RewrapRequest, RewrapResponse, SignManifestRequest, SignManifestResponse,
};
use tonic::{Request, Streaming, async_trait};

use super::{Answer, Api, NOT_YET, Replies};

#[async_trait]
impl CryptoService for Api {
    async fn encrypt(&self, _: Request<EncryptRequest>) -> Answer<EncryptResponse> {
        Err(NOT_YET.into())
    }

    async fn decrypt(&self, _: Request<DecryptRequest>) -> Answer<DecryptResponse> {
        Err(NOT_YET.into())
    }

    async fn rewrap(&self, _: Request<RewrapRequest>) -> Answer<RewrapResponse> {
        Err(NOT_YET.into())
    }

    async fn generate_data_key(&self, _: Request<GenerateDataKeyRequest>) -> Answer<GenerateDataKeyResponse> {
        Err(NOT_YET.into())
    }

    async fn batch_encrypt(&self, _: Request<BatchEncryptRequest>) -> Answer<BatchEncryptResponse> {
        Err(NOT_YET.into())
    }

    async fn batch_decrypt(&self, _: Request<BatchDecryptRequest>) -> Answer<BatchDecryptResponse> {
        Err(NOT_YET.into())
    }

    async fn batch_rewrap(&self, _: Request<BatchRewrapRequest>) -> Answer<BatchRewrapResponse> {
        Err(NOT_YET.into())
    }

    async fn batch_generate_data_key(
        &self,
        _: Request<BatchGenerateDataKeyRequest>,
    ) -> Answer<BatchGenerateDataKeyResponse> {
        Err(NOT_YET.into())
    }

    type CheckDecryptableStream = Replies<CheckDecryptableResponse>;

    async fn check_decryptable(
        &self,
        _: Request<Streaming<CheckDecryptableRequest>>,
    ) -> Answer<Self::CheckDecryptableStream> {
        Err(NOT_YET.into())
    }

    async fn sign_manifest(&self, _: Request<SignManifestRequest>) -> Answer<SignManifestResponse> {
        Err(NOT_YET.into())
    }

    async fn export_signing_key(
        &self,
        _: Request<ExportSigningKeyRequest>,
    ) -> Answer<ExportSigningKeyResponse> {
        Err(NOT_YET.into())
    }
}
