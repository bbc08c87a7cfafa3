//! The origin of an archive: checks the manifest's signature with the vault's signing key.

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::VerifyOutcome;
use strongroom_archive::ManifestSignature;
use strongroom_crypto::{Statement, verify};

use crate::error::Result;
use crate::incoming::Archive;
use crate::vault_client::{InspectedRing, SigningKey};

/// The outcome of the level, and the problem if it did not pass. `keys` are the vault's; the caller trusts `others` in
/// addition.
pub(super) fn judge(
    archive: &Archive,
    signature: Result<Option<ManifestSignature>, String>,
    (keys, others): (&[SigningKey], &[SigningKey]),
    ring: Option<&Result<InspectedRing, String>>,
) -> (VerifyOutcome, String) {
    let signature = match signature {
        Ok(Some(signature)) => signature,
        Ok(None) => return (VerifyOutcome::UnknownSigner, "it is not signed".to_owned()),
        Err(problem) => return (VerifyOutcome::Failed, problem),
    };
    let kid = signature.kid();
    // The root key vouches for signing keys in the archive's own ring, unless this vault has retired them.
    let vouched = ring.and_then(|ring| ring.as_ref().ok()).map_or(&[][..], |ring| &ring.signing_keys);
    let Some(key) = keys.iter().chain(vouched).chain(others).find(|key| key.kid == kid) else {
        return (VerifyOutcome::UnknownSigner, unknown(kid, ring));
    };
    let statement = Statement::ArchiveManifest {
        archive_id: signature.archive_id(),
        time: &signature.time_text(),
        digest: &Sha256::digest(archive.manifest_json()).into(),
    };
    match (verify(&key.public, &statement, signature.bytes()), ring) {
        // The signature is valid, but the ring would be unusable after a total loss.
        (Ok(()), Some(Err(problem))) => (VerifyOutcome::Failed, format!("keys/ring.json: {problem}")),
        (Ok(()), _) => (VerifyOutcome::Passed, String::new()),
        (Err(_), _) => {
            (VerifyOutcome::Failed, format!("the signature that names {kid} was not made by that version"))
        }
    }
}

/// The reason why nothing vouches for the version that signed.
fn unknown(kid: &str, ring: Option<&Result<InspectedRing, String>>) -> String {
    let why = match ring {
        Some(Ok(ring)) if !ring.root_key_known => format!(
            "its key ring is wrapped by the root key {}, which this vault does not have: supply that one as a previous root \
             key",
            ring.root_key_id
        ),
        Some(Ok(_)) => "the version was disabled or destroyed here".to_owned(),
        Some(Err(problem)) => problem.clone(),
        None => "it comes from another vault, and has no key ring".to_owned(),
    };
    format!("it is signed by {kid}, which is not a version in use of this vault's signing key: {why}")
}
