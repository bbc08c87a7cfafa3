//! `CryptoService`.

mod check;
mod convert;

use std::sync::Arc;

use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::crypto_service_server::CryptoService;
use strongroom_api::vault::v1::{
    BatchDecryptRequest, BatchDecryptResponse, BatchEncryptRequest, BatchEncryptResponse,
    BatchGenerateDataKeyRequest, BatchGenerateDataKeyResponse, BatchRewrapRequest, BatchRewrapResponse,
    CheckDecryptableRequest, CheckDecryptableResponse, DecryptRequest, DecryptResponse, EncryptRequest,
    EncryptResponse, ExportSigningKeyRequest, ExportSigningKeyResponse, GenerateDataKeyRequest,
    GenerateDataKeyResponse, RewrapRequest, RewrapResponse, SignManifestRequest, SignManifestResponse,
    SignSidecarRequest, SignSidecarResponse,
};
use strongroom_runtime::Caller;
use tonic::{Request, Response, Streaming, async_trait};

use super::{Answer, Api, Replies, fields};
use convert::{items, results};

#[async_trait]
impl CryptoService for Api {
    async fn encrypt(&self, request: Request<EncryptRequest>) -> Answer<EncryptResponse> {
        let caller = Caller::of(&request)?;
        let sealed = self.0.ciphertexts.encrypt(&caller, &request.into_inner().into()).await?;
        Ok(Response::new(EncryptResponse { ciphertext: sealed.text, kid: sealed.kid.to_string() }))
    }

    async fn decrypt(&self, request: Request<DecryptRequest>) -> Answer<DecryptResponse> {
        let caller = Caller::of(&request)?;
        let opened = self.0.ciphertexts.decrypt(&caller, &request.into_inner().into()).await?;
        let plaintext = opened.plaintext.expose().to_vec().into();
        Ok(Response::new(DecryptResponse { plaintext, kid: opened.kid.to_string() }))
    }

    async fn rewrap(&self, request: Request<RewrapRequest>) -> Answer<RewrapResponse> {
        let caller = Caller::of(&request)?;
        let sealed = self.0.ciphertexts.rewrap(&caller, &request.into_inner().into()).await?;
        Ok(Response::new(RewrapResponse { ciphertext: sealed.text, kid: sealed.kid.to_string() }))
    }

    async fn generate_data_key(
        &self,
        request: Request<GenerateDataKeyRequest>,
    ) -> Answer<GenerateDataKeyResponse> {
        let caller = Caller::of(&request)?;
        let key = self.0.ciphertexts.generate_data_key(&caller, &request.into_inner().into()).await?;
        let kid = key.sealed.kid.to_string();
        let plaintext = key.plaintext.map(|key| key.expose().to_vec().into()).unwrap_or_default();
        Ok(Response::new(GenerateDataKeyResponse { plaintext, ciphertext: key.sealed.text, kid }))
    }

    async fn batch_encrypt(&self, request: Request<BatchEncryptRequest>) -> Answer<BatchEncryptResponse> {
        let caller = Caller::of(&request)?;
        let outcomes = self.0.ciphertexts.encrypt_batch(&caller, items(request.into_inner().items)).await?;
        Ok(Response::new(BatchEncryptResponse { results: results(outcomes, convert::encrypt_result) }))
    }

    async fn batch_decrypt(&self, request: Request<BatchDecryptRequest>) -> Answer<BatchDecryptResponse> {
        let caller = Caller::of(&request)?;
        let outcomes = self.0.ciphertexts.decrypt_batch(&caller, items(request.into_inner().items)).await?;
        Ok(Response::new(BatchDecryptResponse { results: results(outcomes, convert::decrypt_result) }))
    }

    async fn batch_rewrap(&self, request: Request<BatchRewrapRequest>) -> Answer<BatchRewrapResponse> {
        let caller = Caller::of(&request)?;
        let outcomes = self.0.ciphertexts.rewrap_batch(&caller, items(request.into_inner().items)).await?;
        Ok(Response::new(BatchRewrapResponse { results: results(outcomes, convert::rewrap_result) }))
    }

    async fn batch_generate_data_key(
        &self,
        request: Request<BatchGenerateDataKeyRequest>,
    ) -> Answer<BatchGenerateDataKeyResponse> {
        let caller = Caller::of(&request)?;
        let outcomes =
            self.0.ciphertexts.generate_data_key_batch(&caller, items(request.into_inner().items)).await?;
        Ok(Response::new(BatchGenerateDataKeyResponse {
            results: results(outcomes, convert::data_key_result),
        }))
    }

    type CheckDecryptableStream = Replies<CheckDecryptableResponse>;

    async fn check_decryptable(
        &self,
        request: Request<Streaming<CheckDecryptableRequest>>,
    ) -> Answer<Self::CheckDecryptableStream> {
        let caller = Caller::of(&request)?;
        let parts = (Arc::clone(&self.0.ciphertexts), Arc::clone(&self.0.foreign_rings));
        Ok(Response::new(check::answer(parts, caller, request.into_inner())))
    }

    async fn sign_manifest(&self, request: Request<SignManifestRequest>) -> Answer<SignManifestResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let digest = convert::manifest_digest(&request)?;
        let archive_id = fields::id("archive_id", &request.archive_id)?;
        let fields = ["needs.kids", "needs.expire_time"];
        let needs = request.needs.as_ref();
        let needs = needs.map(|needs| self.needs(fields, &needs.kids, needs.expire_time.as_ref()));
        let needs = needs.transpose()?;
        let signed = self.0.signing.sign_manifest(&caller, &archive_id, &digest, needs.as_ref()).await?;
        Ok(Response::new(SignManifestResponse {
            signature: signed.signature.into(),
            kid: signed.kid,
            time: Some(timestamp(signed.time)),
        }))
    }

    async fn sign_sidecar(&self, request: Request<SignSidecarRequest>) -> Answer<SignSidecarResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let archive_id = fields::id("archive_id", &request.archive_id)?;
        let digest = convert::digest("sha256", &request.sha256)?;
        let signed = self.0.signing.sign_sidecar(&caller, &archive_id, &digest).await?;
        Ok(Response::new(SignSidecarResponse {
            signature: signed.signature.to_vec().into(),
            kid: signed.kid.to_string(),
            time: Some(timestamp(signed.time)),
        }))
    }

    async fn export_signing_key(
        &self,
        _: Request<ExportSigningKeyRequest>,
    ) -> Answer<ExportSigningKeyResponse> {
        let keys = self.0.signing.public_keys().iter().map(convert::signing_key).collect();
        Ok(Response::new(ExportSigningKeyResponse { keys }))
    }
}
