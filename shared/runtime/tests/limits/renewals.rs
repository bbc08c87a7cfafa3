//! Certificates and authorities that change while a server is in use.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use strongroom_runtime::Shutdown;
use strongroom_runtime::server::{ClientCerts, Limits};
use strongroom_testkit::{Authority, Certificate};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Certified, ClientFiles, call, eventually, roomy};

const GATEWAY: &str = "spiffe://cluster.local/gateway";

/// Calls without a pause, over one channel and over new connections.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(files: &Arc<ClientFiles>) -> Self {
        let mut load = Self { stop: Arc::default(), calls: Arc::default(), callers: Vec::new() };
        for renews in [false, false, true] {
            let (files, stop, calls) = (Arc::clone(files), Arc::clone(&load.stop), Arc::clone(&load.calls));
            load.callers.push(tokio::spawn(async move {
                let mut client = files.client("");
                while !stop.load(Ordering::Relaxed) {
                    if renews {
                        client = files.client("");
                    }
                    call(&mut client).await.unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }));
        }
        load
    }

    /// Waits for some more calls.
    async fn go_on(&self) {
        let before = self.calls.load(Ordering::Relaxed);
        eventually(|| {
            assert!(self.callers.iter().all(|caller| !caller.is_finished()), "a call failed");
            self.calls.load(Ordering::Relaxed) > before + 30
        })
        .await;
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

#[tokio::test]
async fn certificates_and_authorities_are_renewed_and_no_call_fails() {
    let (old, new) = (Authority::new("old, of clients"), Authority::new("new, of clients"));
    let next = Authority::new("new, of the server");
    let limits = Limits { connection_age: Duration::from_millis(400), ..roomy() };
    let server = Certified::start(&old, ClientCerts::Required, limits).await;
    let files = Arc::new(server.files(&old, &[GATEWAY]));
    let load = Load::start(&files);
    load.go_on().await;
    // A certificate of the same authority.
    server.own.put_certificate(&server.authority.issue(&["localhost"]));
    server.reloaded(1).await;
    load.go_on().await;
    // Another authority of the server: clients trust both, then the server changes, then clients trust only the new
    // one.
    files.files.put_authorities(&[&server.authority, &next]);
    load.go_on().await;
    server.own.put_certificate(&next.issue(&["localhost"]));
    server.reloaded(2).await;
    load.go_on().await;
    files.files.put_authorities(&[&next]);
    load.go_on().await;
    // The same for the authority of the clients.
    server.own.put_authorities(&[&old, &new]);
    server.reloaded(3).await;
    files.files.put_certificate(&new.issue(&[GATEWAY]));
    load.go_on().await;
    // Until the last connection with the old certificate has reached its maximum age.
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.own.put_authorities(&[&new]);
    server.reloaded(4).await;
    load.go_on().await;
    load.end().await;
    assert_eq!(files.call("").await.unwrap(), format!("identity:{GATEWAY}"));
}

/// A rustls client that resumes sessions if the server lets it.
struct Resuming {
    connector: TlsConnector,
    address: std::net::SocketAddr,
}

impl Resuming {
    fn create(server: &Certified, certificate: &Certificate) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.authority.pem().as_bytes()).unwrap()).unwrap();
        let chain = CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_client_auth_cert(vec![chain], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { connector: Arc::new(config).into(), address: server.server.address }
    }

    /// Whether the server admits it: a refusal comes after the client's half of the handshake.
    async fn connects(&self) -> bool {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let Ok(mut stream) = self.connector.connect(name, stream).await else { return false };
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
        hears(&mut stream).await
    }
}

/// Whether there are bytes to read, or none yet and no refusal.
async fn hears(stream: &mut TlsStream<TcpStream>) -> bool {
    let heard = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 100])).await;
    heard.is_err() || heard.is_ok_and(|read| read.is_ok_and(|length| length > 0))
}

#[tokio::test]
async fn clients_of_a_removed_authority_are_refused_at_once() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let limits = Limits { connection_age: Duration::from_secs(2), ..roomy() };
    let server = Certified::start(&old, ClientCerts::Required, limits).await;
    let files = server.files(&old, &[GATEWAY]);
    let resuming = Resuming::create(&server, &old.issue(&[GATEWAY]));
    assert!(resuming.connects().await && resuming.connects().await);
    let mut connected = files.client("");
    call(&mut connected).await.unwrap();
    server.own.put_authorities(&[&new]);
    server.reloaded(1).await;
    assert!(!resuming.connects().await, "a session outlived its authority");
    assert!(files.call("").await.is_err());
    call(&mut connected).await.unwrap();
    let began = std::time::Instant::now();
    while call(&mut connected).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(10), "an old connection goes on for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let newcomer = server.files(&new, &[GATEWAY]);
    assert!(newcomer.call("").await.is_ok());
}

#[tokio::test]
async fn a_renewal_that_cannot_be_used_changes_nothing() {
    let clients = Authority::new("of clients");
    let server = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let files = server.files(&clients, &[GATEWAY]);
    let other = server.authority.issue(&["localhost"]);
    let expired = server.authority.issue_until(&["localhost"], 2020);
    let good = ["tls.crt", "tls.key", "ca.crt"]
        .map(|name| (name, std::fs::read_to_string(server.own.path(name)).unwrap()));
    let state = server.state();
    let not_after = state.not_after();
    for (at, (broken, said)) in [
        (vec![("tls.crt", "no certificate")], "tls.crt cannot be used for TLS: it holds no PEM certificate"),
        (vec![("tls.key", "no key")], "tls.key cannot be used for TLS: it holds no PEM private key"),
        (
            vec![("tls.key", other.key.as_str())],
            "tls.key cannot be used for TLS: it does not belong to the certificate",
        ),
        (vec![("tls.crt", expired.chain.as_str()), ("tls.key", &expired.key)], "expired already"),
        (vec![("ca.crt", "")], "ca.crt cannot be used for TLS: it holds no PEM certificate"),
    ]
    .into_iter()
    .enumerate()
    {
        server.own.put(&broken);
        eventually(|| state.failed_reloads() > at as u64).await;
        let error = state.last_error().unwrap();
        assert!(error.contains(said), "{error}");
        // It is logged once.
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(state.failed_reloads(), at as u64 + 1, "{said}");
        assert_eq!(state.not_after(), not_after);
        files.call("").await.unwrap();
        server.own.put(&good.each_ref().map(|(name, text)| (*name, text.as_str())));
        server.reloaded(at as u64 + 1).await;
    }
    let key = server.own.path("tls.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    eventually(|| state.last_error().is_some_and(|error| error.contains("0644"))).await;
    files.call("").await.unwrap();
}

#[tokio::test]
async fn a_removed_authority_does_not_wait_for_a_good_certificate() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = Certified::start(&old, ClientCerts::Required, roomy()).await;
    let (holder, newcomer) = (server.files(&old, &[GATEWAY]), server.files(&new, &[GATEWAY]));
    holder.call("").await.unwrap();
    let expired = server.authority.issue_until(&["localhost"], 2020);
    let state = server.state();
    let not_after = state.not_after();
    server.own.put(&[
        ("tls.crt", expired.chain.as_str()),
        ("tls.key", &expired.key),
        ("ca.crt", new.pem().as_str()),
    ]);
    eventually(|| state.failed_reloads() == 1).await;
    newcomer.call("").await.unwrap();
    assert!(holder.call("").await.is_err(), "its authority was removed");
    assert_eq!((state.reloads(), state.not_after()), (0, not_after), "the former certificate is in use");
}

/// A client also keeps its files in use, and loads the next good ones.
#[tokio::test]
async fn a_client_outlives_a_renewal_that_cannot_be_used() {
    let clients = Authority::new("of clients");
    let limits = Limits { connection_age: Duration::from_millis(200), ..roomy() };
    let server = Certified::start(&clients, ClientCerts::Required, limits).await;
    let files = server.files(&clients, &[GATEWAY]);
    let mut client = files.client("");
    call(&mut client).await.unwrap();
    files.files.put(&[("tls.key", "no key"), ("ca.crt", "no authority")]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    call(&mut client).await.unwrap();
    files.files.put_authorities(&[&server.authority]);
    files.files.put_certificate(&clients.issue(&["spiffe://cluster.local/renamed"]));
    let began = std::time::Instant::now();
    while call(&mut client).await.unwrap() != "identity:spiffe://cluster.local/renamed" {
        assert!(began.elapsed() < Duration::from_secs(10), "it shows its old certificate for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn sighup_reloads() {
    // From here on, SIGHUP does not end this process.
    let _shutdown = Shutdown::of_service();
    let server = Certified::with(None, roomy(), Duration::from_secs(3600)).await;
    let (state, files) = (server.state(), server.files(&server.authority, &[]));
    files.call("t").await.unwrap();
    // The server's first check, at its start, can come late.
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill_process(getpid(), Signal::HUP).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(state.reloads(), 0, "nothing has changed");
    server.own.put_certificate(&server.authority.issue_until(&["localhost"], 2090));
    kill_process(getpid(), Signal::HUP).unwrap();
    eventually(|| state.reloads() == 1 && state.not_after() == Some(3_786_912_000)).await;
    files.call("t").await.unwrap();
}
