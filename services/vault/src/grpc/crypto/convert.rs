//! Conversion of `CryptoService` messages to items, and of outcomes to messages.

use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1 as proto;
use strongroom_crypto::{DocumentDigest, PublicKey};
use strongroom_runtime::status::reason_of;
use tonic::Status;

use crate::crypto::{Checked, Ciphertext, DataKey, DataKeyOrder, Opened, Outcomes, Plain, Sealed, Verdict};
use crate::error::{Error, Result};
use crate::grpc::fields;

/// Maximum length of a manifest that is sent whole, in bytes.
const MAX_MANIFEST: usize = 4 << 20;

/// The items of a call.
pub(super) fn items<M, I: From<M>>(messages: Vec<M>) -> Vec<I> {
    messages.into_iter().map(Into::into).collect()
}

/// One result for each outcome, in order.
pub(super) fn results<O, R>(outcomes: Outcomes<O>, convert: fn(Result<O>) -> R) -> Vec<R> {
    outcomes.into_iter().map(convert).collect()
}

impl From<proto::EncryptRequest> for Plain {
    fn from(request: proto::EncryptRequest) -> Self {
        Self { key_id: request.key_id, plaintext: request.plaintext, aad: request.aad }
    }
}

impl From<proto::DecryptRequest> for Sealed {
    fn from(request: proto::DecryptRequest) -> Self {
        Self { key_id: request.key_id, ciphertext: request.ciphertext, aad: request.aad }
    }
}

impl From<proto::RewrapRequest> for Sealed {
    fn from(request: proto::RewrapRequest) -> Self {
        Self { key_id: request.key_id, ciphertext: request.ciphertext, aad: request.aad }
    }
}

impl From<proto::check_decryptable_request::Item> for Checked {
    fn from(item: proto::check_decryptable_request::Item) -> Self {
        let sealed = Sealed { key_id: item.key_id, ciphertext: item.ciphertext, aad: item.aad };
        let column = fields::optional(&item.column, |column| fields::column("column", column)).ok();
        Self { sealed, column }
    }
}

impl From<proto::GenerateDataKeyRequest> for DataKeyOrder {
    fn from(request: proto::GenerateDataKeyRequest) -> Self {
        Self { key_id: request.key_id, aad: request.aad, sealed_only: request.sealed_only }
    }
}

pub(super) fn encrypt_result(outcome: Result<Ciphertext>) -> proto::BatchEncryptResult {
    match outcome {
        Ok(sealed) => {
            proto::BatchEncryptResult { status: ok(), ciphertext: sealed.text, kid: sealed.kid.to_string() }
        }
        Err(error) => {
            proto::BatchEncryptResult { status: refused(error), ..proto::BatchEncryptResult::default() }
        }
    }
}

pub(super) fn rewrap_result(outcome: Result<Ciphertext>) -> proto::BatchRewrapResult {
    match outcome {
        Ok(sealed) => {
            proto::BatchRewrapResult { status: ok(), ciphertext: sealed.text, kid: sealed.kid.to_string() }
        }
        Err(error) => {
            proto::BatchRewrapResult { status: refused(error), ..proto::BatchRewrapResult::default() }
        }
    }
}

pub(super) fn decrypt_result(outcome: Result<Opened>) -> proto::BatchDecryptResult {
    match outcome {
        Ok(opened) => {
            let plaintext = opened.plaintext.expose().to_vec().into();
            proto::BatchDecryptResult { status: ok(), plaintext, kid: opened.kid.to_string() }
        }
        Err(error) => {
            proto::BatchDecryptResult { status: refused(error), ..proto::BatchDecryptResult::default() }
        }
    }
}

pub(super) fn data_key_result(outcome: Result<DataKey>) -> proto::BatchGenerateDataKeyResult {
    match outcome {
        Ok(DataKey { plaintext, sealed }) => {
            let plaintext = plaintext.map(|key| key.expose().to_vec().into()).unwrap_or_default();
            proto::BatchGenerateDataKeyResult {
                status: ok(),
                plaintext,
                ciphertext: sealed.text,
                kid: sealed.kid.to_string(),
            }
        }
        Err(error) => proto::BatchGenerateDataKeyResult {
            status: refused(error),
            ..proto::BatchGenerateDataKeyResult::default()
        },
    }
}

impl From<Verdict> for proto::check_decryptable_response::Verdict {
    fn from(verdict: Verdict) -> Self {
        let kid = verdict.kid.map(|kid| kid.to_string()).unwrap_or_default();
        let decryptable = verdict.refused.is_none();
        let reason = verdict.refused.map(|error| reason_of(&error.into())).unwrap_or_default();
        Self { decryptable, kid, reason }
    }
}

/// SHA-256 of the manifest to be signed: as given, or computed here.
pub(super) fn manifest_digest(request: &proto::SignManifestRequest) -> Result<DocumentDigest> {
    let refuse = |field, problem: String| Err(Error::Field { field, problem });
    match (request.manifest.len(), request.sha256.len()) {
        (0, 0) => refuse("manifest", "must not be empty, unless sha256 is given".into()),
        (1..=MAX_MANIFEST, 0) => Ok(Sha256::digest(&request.manifest).into()),
        (bytes, 0) => refuse(
            "manifest",
            format!("has {bytes} bytes; at most {MAX_MANIFEST} are allowed, send the sha256 of a longer one"),
        ),
        (0, _) => digest("sha256", &request.sha256),
        _ => refuse("sha256", "must not be given beside manifest".into()),
    }
}

/// A given SHA-256.
pub(super) fn digest(field: &'static str, bytes: &[u8]) -> Result<DocumentDigest> {
    bytes.try_into().map_err(|_| {
        let problem = format!("has {} bytes; a SHA-256 has {}", bytes.len(), size_of::<DocumentDigest>());
        Error::Field { field, problem }
    })
}

pub(super) fn signing_key(key: &PublicKey) -> proto::SigningKey {
    proto::SigningKey { kid: key.kid.to_string(), public_key: hex::encode(key.bytes), primary: key.primary }
}

fn ok() -> Option<proto::ItemStatus> {
    Some(proto::ItemStatus::default())
}

/// The status that the call would have had with this item alone.
fn refused(error: Error) -> Option<proto::ItemStatus> {
    let status = Status::from(error);
    let (code, reason) = (i32::from(status.code()), reason_of(&status));
    Some(proto::ItemStatus { code, reason, message: status.message().to_owned() })
}
