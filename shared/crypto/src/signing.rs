//! Ed25519 signatures (RFC 8032): public statements of the vault that anyone can verify without it.
//!
//! A signature never covers a document alone. The message begins with a label, so a signature of an archive's
//! manifest is not valid for any other kind of document, and contains the document's SHA-256.

use std::fmt;

use ed25519_dalek::{Signature, Signer, VerifyingKey};

use crate::error::{Error, Result};
use crate::secret::KeyBytes;
use crate::{KeyRing, Kid, Purpose, State, hkdf};

/// Length of a signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// Length of a public key in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// SHA-256 of a document.
pub type DocumentDigest = [u8; 32];

/// A statement to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// The manifest was presented to the vault, for this archive, at this time.
    ArchiveManifest {
        /// Consists of letters, digits and hyphens.
        archive_id: &'a str,
        /// RFC 3339 in UTC with six decimals.
        time: &'a str,
        /// SHA-256 of the manifest.
        digest: &'a DocumentDigest,
    },
    /// The sidecar of a stored backup had this record at this time.
    BackupSidecar {
        /// As above.
        archive_id: &'a str,
        /// As above.
        time: &'a str,
        /// SHA-256 of the sidecar's record.
        digest: &'a DocumentDigest,
    },
}

impl Statement<'_> {
    /// The signed bytes: label ‖ digest ‖ archive id ‖ line feed ‖ time. Labels never change, and no label is
    /// a prefix of another.
    fn message(&self) -> Vec<u8> {
        let (
            label,
            Self::ArchiveManifest { archive_id, time, digest }
            | Self::BackupSidecar { archive_id, time, digest },
        ) = (self.label(), self);
        [label, &digest[..], archive_id.as_bytes(), b"\n", time.as_bytes()].concat()
    }

    fn label(&self) -> &'static [u8] {
        match self {
            Self::ArchiveManifest { .. } => b"strongroom/archive-manifest/v1\n",
            Self::BackupSidecar { .. } => b"strongroom/backup-sidecar/v1\n",
        }
    }
}

/// The public half of a version of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The version.
    pub kid: Kid,
    /// The point, as RFC 8032 encodes it.
    pub bytes: [u8; PUBLIC_KEY_BYTES],
    /// Whether this version signs now.
    pub primary: bool,
}

impl KeyRing {
    /// Signs a statement with the primary version of the key, and returns the version and the signature.
    /// Signing the same statement again returns the same signature.
    ///
    /// # Errors
    /// [`Error::NoPrimary`], [`Error::WrongPurpose`] if the key is not a signing key.
    pub fn sign(&self, key_id: &str, statement: &Statement<'_>) -> Result<(Kid, [u8; SIGNATURE_BYTES])> {
        let version = self.primary(key_id)?;
        let signature = version.signing()?.sign(&statement.message());
        version.usage().sealed();
        Ok((version.kid(), signature))
    }

    /// The public half of this version; `None` if it is unknown, unusable, or not a version of a signing key.
    #[must_use]
    pub fn public_key(&self, kid: Kid) -> Option<[u8; PUBLIC_KEY_BYTES]> {
        Some(self.version(kid)?.signing().ok()?.public_key())
    }

    /// Public halves of the usable versions of a signing key, oldest first. Disabled and destroyed versions
    /// are no longer trusted, and are omitted.
    #[must_use]
    pub fn public_keys(&self, key_id: &str) -> Vec<PublicKey> {
        let mut usable: Vec<_> = self
            .versions()
            .filter(|version| version.key_id() == key_id && version.purpose() == Purpose::Signing)
            .filter_map(|version| Some((version, version.signing().ok()?)))
            .collect();
        usable.sort_by_key(|(version, _)| version.number());
        let public = usable.into_iter().map(|(version, key)| PublicKey {
            kid: version.kid(),
            bytes: key.public_key(),
            primary: version.state() == State::Primary,
        });
        public.collect()
    }
}

/// Verifies a signature without the vault. Strict: weak keys and alternative encodings of a signature are
/// refused (`verify_strict` of ed25519-dalek).
///
/// # Errors
/// [`Error::Signature`], whatever the cause.
pub fn verify(
    public_key: &[u8; PUBLIC_KEY_BYTES],
    statement: &Statement<'_>,
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<()> {
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| Error::Signature)?;
    let signature = Signature::from_bytes(signature);
    key.verify_strict(&statement.message(), &signature).map_err(|_| Error::Signature)
}

/// The private half, derived from a key version. Wiped when dropped.
pub(crate) struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    pub(crate) fn derive(key: &KeyBytes) -> Self {
        Self::from_seed(&hkdf::derive(key, "strongroom/v1/signing"))
    }

    fn from_seed(seed: &KeyBytes) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.0.verifying_key().to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, tests 1 to 3.
    #[test]
    fn rfc_8032_vectors() {
        let table = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, public, message, signature) in table {
            let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
            let key = SigningKey::from_seed(&KeyBytes::new(seed));
            assert_eq!(hex::encode(key.public_key()), public);
            assert_eq!(hex::encode(key.sign(&hex::decode(message).unwrap())), signature);
        }
    }

    #[test]
    fn nothing_is_shown() {
        let key = SigningKey::derive(&KeyBytes::new([1; 32]));
        assert_eq!(format!("{key:?} {key:#?}"), "SigningKey([redacted]) SigningKey([redacted])");
    }
}
