//! Certificate authorities of a test, and folders in which certificates are renewed as Kubernetes renews them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use crate::write_private;

/// Signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new one with this name.
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

    /// A certificate with these names: URIs (with `://`) and DNS names.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_until(names, 2100)
    }

    /// The same until the beginning of `year`.
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

/// A folder whose files change all at once: they lie in another folder, to which a link leads.
#[derive(Debug)]
pub struct Mounted {
    folder: PathBuf,
    /// How often it changed, and what is in it.
    state: Mutex<(usize, BTreeMap<String, String>)>,
}

impl Mounted {
    /// An empty one, made here.
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

    /// Puts a certificate at `tls.crt` and its key at `tls.key`.
    pub fn put_certificate(&self, certificate: &Certificate) {
        self.put(&[("tls.crt", &certificate.chain), ("tls.key", &certificate.key)]);
    }

    /// Puts authorities at `ca.crt`.
    pub fn put_authorities(&self, authorities: &[&Authority]) {
        let all: Vec<String> = authorities.iter().map(|authority| authority.pem()).collect();
        self.put(&[("ca.crt", &all.concat())]);
    }

    /// Puts these files, and leaves the others as they are.
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
