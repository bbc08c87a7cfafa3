//! An S3 service in the test's process: `s3s-fs` behind a layer that records requests and injects faults.

mod faults;
mod joining;
mod server;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{HeaderMap, Method};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::Authority;

pub use faults::{Effect, Fault};
use joining::Joining;

/// The bucket that exists from the start.
pub const BUCKET: &str = "backups";
/// The access key and the secret key accepted at the start.
pub const KEYS: (&str, &str) = ("AKFIRST", "first-secret-key");

/// A running service; stops when dropped.
pub struct S3 {
    folder: TempDir,
    endpoint: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// One request as received.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path, with the bucket.
    pub path: String,
    /// Its query string, as sent.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// When it arrived.
    pub time: Instant,
}

impl Recorded {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The announced number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.header("content-length").unwrap_or("0").parse().unwrap()
    }

    /// Whether it contained an object or a part.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.method == Method::PUT
    }
}

struct Shared {
    service: S3Service,
    keys: Keys,
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<Recorded>>,
}

/// The currently accepted keys.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<HashMap<String, String>>>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let keys = self.0.lock().unwrap();
        let secret = keys.get(access_key).ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
        Ok(SecretKey::from(secret.as_str()))
    }
}

impl S3 {
    /// Starts a service with the bucket [`BUCKET`] that accepts [`KEYS`].
    pub async fn start() -> Self {
        Self::start_with(None, false).await
    }

    /// The same, for measurements: an upload is completed without reading its parts again.
    pub async fn start_joining() -> Self {
        Self::start_with(None, true).await
    }

    /// The same over TLS, with a certificate of `authority` for `localhost`.
    pub async fn start_tls(authority: &Authority) -> Self {
        Self::start_with(Some(server::acceptor(&authority.issue(&["localhost"]))), false).await
    }

    async fn start_with(tls: Option<TlsAcceptor>, joins: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let keys = Keys::default();
        let mut builder = match joins {
            true => S3ServiceBuilder::new(Joining::create(folder.path())),
            false => S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap()),
        };
        builder.set_auth(keys.clone());
        let (faults, requests) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { service: builder.build(), keys, faults, requests });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = match tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let task = tokio::spawn(server::accept(listener, tls, Arc::clone(&shared)));
        let s3 = Self { folder, endpoint, shared, task };
        s3.accept_only(KEYS.0, KEYS.1);
        s3
    }

    /// Its endpoint, on loopback. The bucket must be in the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The folder with the bucket's objects as files.
    #[must_use]
    pub fn bucket_folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// From now on, accepts only these keys.
    pub fn accept_only(&self, access_key: &str, secret_key: &str) {
        *self.shared.keys.0.lock().unwrap() = HashMap::from([(access_key.into(), secret_key.into())]);
    }

    /// From now on, requests fail according to `fault`. If several faults match, the one added first applies.
    pub fn fail(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// All requests so far, in order of arrival, including failed ones.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// A credentials file with `keys`, in the form of `~/.aws/credentials`.
    #[must_use]
    pub fn credentials((access_key, secret_key): (&str, &str)) -> String {
        format!("[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}
