//! The one failure with its own exit code: an intact archive whose signer is not trusted.

use std::fmt;

/// No key that the operator trusts has signed the archive.
#[derive(Debug)]
pub(crate) struct UnknownSigner(&'static str);

impl UnknownSigner {
    /// The archive has no signature.
    pub(crate) fn unsigned() -> Self {
        Self("it is not signed, so its origin cannot be checked against the signer file")
    }

    /// The signer file does not contain the key of the signature.
    pub(crate) fn unknown_key() -> Self {
        Self("it is signed by a key that is not in the signer file")
    }

    /// The vault was asked instead of a signer file.
    pub(crate) fn to_the_vault() -> Self {
        Self("its content is intact, but it was not signed by this vault")
    }

    /// The plan has no other reason for a refusal.
    pub(crate) fn of_a_plan() -> Self {
        Self("no key that the vault knows, or that --signer names, has signed the archive")
    }
}

impl fmt::Display for UnknownSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnknownSigner {}
