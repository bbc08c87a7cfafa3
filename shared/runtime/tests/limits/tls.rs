//! The same limits with TLS: on the handshake, and on a connection after it.

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use strongroom_api::source::v1::DescribeSourceRequest;
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_runtime::client::{Bearer, Target};
use strongroom_runtime::process::install_tls_provider;
use strongroom_runtime::server::{Limits, TlsConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Server, limits};

fn certify(folder: &Path) -> TlsConfig {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (cert_file, key_file) = (folder.join("tls.crt"), folder.join("tls.key"));
    std::fs::write(&cert_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    set_mode(&key_file, 0o600);
    TlsConfig::new(cert_file, key_file)
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn an_unfinished_handshake_is_ended_and_others_are_served() {
    install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let tls = certify(folder.path());
    let limits = Limits { first_call: Duration::from_secs(60), ..limits() };
    let server = Server::start_with(limits, Some(tls.clone())).await;
    let mut flood = Vec::new();
    // The beginning of a ClientHello, longer than HTTP/2's preface.
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.unwrap();
        stream.write_all(&[0; 32]).await.unwrap();
        flood.push(stream);
    }
    let url = format!("https://localhost:{}", server.address.port());
    let target = Target { url, ca_file: Some(tls.cert_file), ..Target::default() };
    let bearer = Bearer::new("t").unwrap();
    let mut client = SourceServiceClient::with_interceptor(target.channel().unwrap(), bearer);
    let call = client.describe_source(DescribeSourceRequest {});
    tokio::time::timeout(Duration::from_secs(1), call).await.expect("nobody is served").unwrap();
    let (began, mut last) = (Instant::now(), flood.pop().unwrap());
    let closed = tokio::time::timeout(Duration::from_secs(3), last.read(&mut [0; 1024])).await;
    assert!(closed.is_ok() && began.elapsed() < Duration::from_secs(2), "a handshake may last for ever");
}

#[tokio::test]
async fn a_private_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certify(folder.path());
    set_mode(&tls.key_file, 0o644);
    let target = Target {
        url: "https://localhost:1".into(),
        ca_file: Some(tls.cert_file.clone()),
        cert_file: Some(tls.cert_file),
        key_file: Some(tls.key_file),
        ..Target::default()
    };
    let refusal = target.channel().unwrap_err().to_string();
    assert!(refusal.contains("tls.key") && refusal.contains("0644"), "{refusal}");
}
