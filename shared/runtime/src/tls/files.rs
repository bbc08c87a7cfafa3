//! Certificate files: read together, compared as a whole, and parsed with errors that name the file.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::{Error, Result};
use crate::secret_file;

/// Larger than any chain and any bundle of authorities.
const MAX_BYTES: u64 = 4 << 20;

/// The files of one side.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// Its own certificate chain and key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
    /// The authorities that it trusts.
    pub(super) authorities: Option<PathBuf>,
}

/// The contents of the files.
#[derive(Clone, Hash)]
pub(super) struct Contents {
    own: Option<(Vec<u8>, Vec<u8>)>,
    authorities: Option<Vec<u8>>,
}

impl Contents {
    /// Whether certificate and key equal those of `other`.
    pub(super) fn has_own_of(&self, other: &Self) -> bool {
        self.own == other.own
    }

    /// This certificate and key with the authorities of `newer`; `None` if the authorities are the same.
    pub(super) fn with_authorities_of(&self, newer: &Self) -> Option<Self> {
        let authorities = newer.authorities.clone();
        (self.authorities != authorities).then(|| Self { own: self.own.clone(), authorities })
    }
}

/// A certificate chain with its key.
pub(super) struct Own {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Expiry of the first certificate in the chain, in seconds since 1970.
    pub(super) not_after: i64,
}

impl Paths {
    /// Reads all files.
    ///
    /// # Errors
    /// [`Error::File`], and [`Error::Exposed`] for a key that others can read.
    pub(super) fn read(&self) -> Result<Contents> {
        let own = match &self.own {
            Some((chain, key)) => Some((read(chain)?, secret_file::read(key)?)),
            None => None,
        };
        Ok(Contents { own, authorities: self.authorities.as_deref().map(read).transpose()? })
    }

    /// The side's own certificate in `contents`.
    ///
    /// # Errors
    /// [`Error::Transport`] naming the file that holds no certificate, or no key.
    pub(super) fn own(&self, contents: &Contents) -> Result<Option<Own>> {
        let (Some((chain_file, key_file)), Some((chain, key))) = (&self.own, &contents.own) else {
            return Ok(None);
        };
        let chain = certificates(chain_file, chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unusable(key_file, &format!("it holds no PEM private key ({error})")))?;
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let (_, parsed) = X509Certificate::from_der(first)
            .map_err(|error| unusable(chain_file, &format!("its first certificate is invalid ({error})")))?;
        let not_after = parsed.validity().not_after.timestamp();
        Ok(Some(Own { chain, key, not_after }))
    }

    /// The authorities in `contents`; `None` if no file is configured.
    ///
    /// # Errors
    /// [`Error::Transport`] naming the file that holds none.
    pub(super) fn authorities(&self, contents: &Contents) -> Result<Option<RootCertStore>> {
        let (Some(file), Some(authorities)) = (&self.authorities, &contents.authorities) else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file, authorities)? {
            roots.add(certificate).map_err(|error| unusable(file, &error.to_string()))?;
        }
        Ok(Some(roots))
    }

    /// The error for a certificate or key that rustls refuses.
    pub(super) fn refused(&self, error: &rustls::Error) -> Error {
        match (&self.own, error) {
            (Some((chain, key)), rustls::Error::InconsistentKeys(_)) => {
                unusable(key, &format!("it does not belong to the certificate in {}", chain.display()))
            }
            (Some((chain, _)), error) => unusable(chain, &error.to_string()),
            (None, error) => Error::Transport(error.to_string()),
        }
    }
}

/// A hash that distinguishes states of the files, unreadable ones included.
pub(super) fn mark(contents: &Result<Contents>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match contents {
        Ok(contents) => contents.hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = parsed.map_err(|error| unusable(file, &format!("it is not PEM ({error})")))?;
    if certificates.is_empty() {
        return Err(unusable(file, "it holds no PEM certificate"));
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::File { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(std::io::Error::other("it is longer than 4 MiB")));
    }
    Ok(bytes)
}

fn unusable(file: &Path, why: &str) -> Error {
    Error::Transport(format!("{} cannot be used for TLS: {why}", file.display()))
}
