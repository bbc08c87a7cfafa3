//! The vault's key operations: it wraps and unwraps file keys, signs manifests, and reports whether values would open.
//! Those of [`good_value`] would.

use std::pin::Pin;
use std::sync::Arc;

use strongroom_api::time::timestamp;
use strongroom_api::vault::v1 as vault;
use strongroom_api::vault::v1::crypto_service_server::CryptoService;
use strongroom_api::vault::v1::seal_service_server::SealService;
use strongroom_crypto::{
    KeyRing, KeyVersion, PublicKey, Purpose, SecretBytes, Statement, unwrap_file_key, wrap_file_key,
};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{FakeVault, GATEWAY_KID, KID};

const SIGNING: &str = "signing";

/// A value that this key version sealed with this additional data.
pub(crate) fn good_value(kid: &str, aad: &str) -> String {
    format!("srv1.{kid}.{}", hex::encode(aad))
}

fn judge(item: &vault::check_decryptable_request::Item) -> vault::check_decryptable_response::Verdict {
    let kid = if item.key_id == "credential" { KID } else { GATEWAY_KID };
    let named = item.ciphertext.split('.').nth(1).unwrap_or_default().to_owned();
    let decryptable = item.ciphertext == good_value(kid, std::str::from_utf8(&item.aad).unwrap());
    let reason = match named.as_str() {
        _ if decryptable => "",
        "" | KID | GATEWAY_KID => "CIPHERTEXT_INVALID",
        _ => "KEY_VERSION_NOT_FOUND",
    };
    vault::check_decryptable_response::Verdict { decryptable, kid: named, reason: reason.into() }
}

impl FakeVault {
    fn ring(&self) -> &KeyRing {
        self.state.ring.get_or_init(|| {
            let version = KeyVersion::create(self.root(), SIGNING, Purpose::Signing, 1);
            KeyRing::open(&[self.root()], &[version]).unwrap()
        })
    }

    /// The public half of the key that signs manifests.
    pub(crate) fn signer(&self) -> PublicKey {
        self.ring().public_keys(SIGNING).remove(0)
    }

    /// The vault's answer to a caller that may open archives.
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

    async fn unwrap_file_key(
        &self,
        request: Request<vault::UnwrapFileKeyRequest>,
    ) -> Result<Response<vault::UnwrapFileKeyResponse>, Status> {
        let [stanza] = request.into_inner().stanzas.try_into().unwrap();
        let root = stanza.root_key_id.parse().unwrap();
        let key = unwrap_file_key(&[self.root()], &root, &stanza.wrapped);
        let key = key.map_err(|_| Status::failed_precondition("this vault has another root key"))?;
        Ok(Response::new(vault::UnwrapFileKeyResponse { file_key: key.expose().to_vec().into() }))
    }
}

#[tonic::async_trait]
impl CryptoService for FakeVault {
    async fn sign_manifest(
        &self,
        request: Request<vault::SignManifestRequest>,
    ) -> Result<Response<vault::SignManifestResponse>, Status> {
        let vault::SignManifestRequest { sha256, archive_id, needs, .. } = request.into_inner();
        if let Some(needs) = needs {
            self.pinned("narrow", archive_id.clone(), needs.kids);
        }
        let digest = &sha256.as_ref().try_into().unwrap();
        let (time, archive_id) = ("2026-05-06T10:14:22.000007Z", archive_id.as_str());
        let statement = Statement::ArchiveManifest { archive_id, time, digest };
        let (kid, signature) = self.ring().sign(SIGNING, &statement).unwrap();
        let micros = time.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        Ok(Response::new(vault::SignManifestResponse {
            signature: signature.to_vec().into(),
            kid: kid.to_string(),
            time: Some(timestamp(micros)),
        }))
    }

    async fn sign_sidecar(
        &self,
        request: Request<vault::SignSidecarRequest>,
    ) -> Result<Response<vault::SignSidecarResponse>, Status> {
        let vault::SignSidecarRequest { sha256, archive_id } = request.into_inner();
        let digest = &sha256.as_ref().try_into().unwrap();
        let (time, archive_id) = ("2026-05-06T10:14:22.000007Z", archive_id.as_str());
        let statement = Statement::BackupSidecar { archive_id, time, digest };
        let (kid, signature) = self.ring().sign(SIGNING, &statement).unwrap();
        let micros = time.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        Ok(Response::new(vault::SignSidecarResponse {
            signature: signature.to_vec().into(),
            kid: kid.to_string(),
            time: Some(timestamp(micros)),
        }))
    }

    type CheckDecryptableStream =
        Pin<Box<dyn Stream<Item = Result<vault::CheckDecryptableResponse, Status>> + Send>>;

    async fn check_decryptable(
        &self,
        request: Request<tonic::Streaming<vault::CheckDecryptableRequest>>,
    ) -> Result<Response<Self::CheckDecryptableStream>, Status> {
        let state = Arc::clone(&self.state);
        if *state.is_away.lock().unwrap() {
            return Err(Status::unavailable("on the way out"));
        }
        let mut requests = request.into_inner();
        let (answers, received) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let verdicts = request.items.iter().map(judge).collect();
                if request.ring.is_empty() {
                    state.checks.lock().unwrap().push(request.items);
                }
                let _ = answers.send(Ok(vault::CheckDecryptableResponse { verdicts })).await;
            }
            *state.finished_checks.lock().unwrap() += 1;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(received))))
    }

    async fn export_signing_key(
        &self,
        _: Request<vault::ExportSigningKeyRequest>,
    ) -> Result<Response<vault::ExportSigningKeyResponse>, Status> {
        let key = |signer: &PublicKey, primary| {
            let (kid, public_key) = (signer.kid.to_string(), hex::encode(signer.bytes));
            vault::SigningKey { kid, public_key, primary }
        };
        let learned = self.state.learned.lock().unwrap();
        let mut keys = vec![key(&self.signer(), true)];
        keys.extend(learned.iter().map(|signer| key(signer, false)));
        Ok(Response::new(vault::ExportSigningKeyResponse { keys }))
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
    }
}
