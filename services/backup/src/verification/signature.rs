//! Whose archive it is: the manifest's signature against the vault's signing key.

use strongroom_api::backup::v1::VerifyOutcome;
use strongroom_archive::ManifestSignature;
use strongroom_crypto::{SignatureDomain, verify};

use crate::error::Result;
use crate::incoming::Archive;
use crate::vault_client::SigningKey;

/// The outcome of the level, and why it is not the good one.
pub(super) fn judge(
    archive: &Archive,
    signature: Result<Option<ManifestSignature>, String>,
    keys: &[SigningKey],
) -> (VerifyOutcome, String) {
    let signature = match signature {
        Ok(Some(signature)) => signature,
        Ok(None) => return (VerifyOutcome::UnknownSigner, "it is not signed".to_owned()),
        Err(problem) => return (VerifyOutcome::Failed, problem),
    };
    let kid = signature.kid();
    let Some(key) = keys.iter().find(|key| key.kid == kid) else {
        let problem = format!(
            "it is signed by {kid}, which is no version of this vault's signing key that is in use: it comes from \
             another vault, or the version was disabled or destroyed here"
        );
        return (VerifyOutcome::UnknownSigner, problem);
    };
    let domain = SignatureDomain::ArchiveManifest;
    match verify(&key.public, domain, archive.manifest_json(), signature.bytes()) {
        Ok(()) => (VerifyOutcome::Passed, String::new()),
        Err(_) => (VerifyOutcome::Failed, format!("the signature that names {kid} is not by that version")),
    }
}
