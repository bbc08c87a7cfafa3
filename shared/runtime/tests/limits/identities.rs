//! Client certificates: who needs one, and which caller it identifies.

use std::time::Duration;

use strongroom_runtime::client::Target;
use strongroom_runtime::server::ClientCerts;
use strongroom_testkit::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::certificates::{Certified, call, chain, roomy};
use crate::server::Server;

const GATEWAY: &str = "spiffe://cluster.local/gateway";

#[tokio::test]
async fn a_certificate_stands_for_its_holder_where_there_is_no_token() {
    let clients = Authority::new("of clients");
    let server = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let gateway = server.files(&clients, &[GATEWAY]);
    assert_eq!(gateway.call("").await.unwrap(), format!("identity:{GATEWAY}"));
    assert_eq!(gateway.call("t").await.unwrap(), "token:t", "a token goes first");
    let stranger = gateway.call("stranger").await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated, "a bad token is not made good by a certificate");
    for (names, said) in [(&["localhost"][..], "dns:localhost"), (&["mail://x", "localhost"], "")] {
        let answer = server.files(&clients, names).call("").await;
        match said {
            "" => assert_eq!(answer.unwrap(), "identity:mail://x"),
            said => {
                let refused = answer.unwrap_err();
                assert_eq!(refused.code(), Code::Unauthenticated);
                assert!(refused.message().contains(said), "{}", refused.message());
            }
        }
    }
}

#[tokio::test]
async fn whether_a_certificate_is_needed_is_configured() {
    let (clients, strangers) = (Authority::new("of clients"), Authority::new("of strangers"));
    let required = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let refused = chain(&required.files(&clients, &[]).call("t").await.unwrap_err());
    assert!(refused.contains("CertificateRequired"), "{refused}");
    let optional = Certified::start(&clients, ClientCerts::Optional, roomy()).await;
    let nobody = optional.files(&clients, &[]);
    assert_eq!(nobody.call("t").await.unwrap(), "token:t");
    let refused = nobody.call("").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    for server in [&required, &optional] {
        assert_eq!(server.files(&clients, &[GATEWAY]).call("t").await.unwrap(), "token:t");
        let refused = chain(&server.files(&strangers, &[GATEWAY]).call("t").await.unwrap_err());
        assert!(refused.contains("alert"), "{refused}");
    }
}

#[tokio::test]
async fn who_speaks_plaintext_to_a_tls_port_is_told_so() {
    let clients = Authority::new("of clients");
    let server = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let refused = call(&mut server.server.client("t")).await.unwrap_err();
    assert!(chain(&refused).contains("this port speaks TLS"), "{}", chain(&refused));
    let mut stream = TcpStream::connect(server.server.address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("use an https URL"), "{answer}");
}

/// A client that gets the reason before its call has no call to report it with.
#[tokio::test]
async fn a_refused_call_over_plaintext_hears_why_and_not_only_its_connection() {
    let clients = Authority::new("of clients");
    let server = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let mut stream = TcpStream::connect(server.server.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut settings = [0; 9];
    stream.read_exact(&mut settings).await.unwrap();
    assert_eq!(settings[3], 4, "some clients call only after the settings");
    let early = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    stream.write_all(b"\0\0\0\x01\x05\0\0\0\x01").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).ends_with("use an https address"), "{answer:?}");
}

#[tokio::test]
async fn who_speaks_tls_to_a_plaintext_port_is_told_so() {
    strongroom_runtime::process::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.crt");
    std::fs::write(&ca_file, Authority::new("of nobody").pem()).unwrap();
    let server = Server::start(roomy()).await;
    let url = format!("https://localhost:{}", server.address.port());
    let target = Target { url, ca_file: Some(ca_file), ..Target::default() };
    let mut health = tonic_health::pb::health_client::HealthClient::new(target.channel().unwrap());
    let refused = health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("InvalidContentType"), "{}", refused.message());
}

/// The reason of a refusal arrives every time, not only if the client happens to read before it writes.
#[tokio::test]
async fn a_refused_certificate_is_always_told_so() {
    let clients = Authority::new("of clients");
    let server = Certified::start(&clients, ClientCerts::Required, roomy()).await;
    let nobody = server.files(&clients, &[]);
    for _ in 0..50 {
        let refused = nobody.call("t").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.message().contains("CertificateRequired"), "{}", refused.message());
    }
}
