//! Certificate authorities for tests, and folders whose certificates are renewed as in Kubernetes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use crate::write_private;

/// Signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new authority with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate with these names: URIs (with `://`) or DNS names.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_until(names, 2100)
    }

    /// The same, valid until the beginning of `year`.
    #[must_use]
    pub fn issue_until(&self, names: &[&str], year: i32) -> Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.0).unwrap().pem();
        Certificate { chain, key: key.serialize_pem() }
    }
}

fn alternative(name: &str) -> SanType {
    if name.contains("://") {
        SanType::URI(name.try_into().unwrap())
    } else {
        SanType::DnsName(name.try_into().unwrap())
    }
}

/// A folder whose files all change at once: they are in another folder, which a symbolic link points to.
#[derive(Debug)]
pub struct Mounted {
    folder: PathBuf,
    /// The number of changes, and the current contents.
    state: Mutex<(usize, BTreeMap<String, String>)>,
}

impl Mounted {
    /// Creates an empty folder.
    #[must_use]
    pub fn create(folder: impl AsRef<Path>) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder: folder.as_ref().to_owned(), state: Mutex::default() }
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join("data").join(name)
    }

    /// Writes a certificate to `tls.crt` and its key to `tls.key`.
    pub fn put_certificate(&self, certificate: &Certificate) {
        self.put(&[("tls.crt", &certificate.chain), ("tls.key", &certificate.key)]);
    }

    /// Writes authorities to `ca.crt`.
    pub fn put_authorities(&self, authorities: &[&Authority]) {
        let all: Vec<String> = authorities.iter().map(|authority| authority.pem()).collect();
        self.put(&[("ca.crt", &all.concat())]);
    }

    /// Writes these files, and leaves the others unchanged.
    pub fn put(&self, files: &[(&str, &str)]) {
        let mut state = self.state.lock().unwrap();
        let (turn, contents) = &mut *state;
        *turn += 1;
        contents.extend(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        let folder = self.folder.join(format!("turn-{turn}"));
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in contents {
            write_private(folder.join(name), text);
        }
        let link = self.folder.join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        std::fs::rename(&link, self.folder.join("data")).unwrap();
    }
}
