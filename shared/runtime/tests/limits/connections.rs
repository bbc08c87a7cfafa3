//! Connections that stay silent, fall silent, or are too many.

use std::time::{Duration, Instant};

use strongroom_runtime::server::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{HEALTH, Server, assert_serves, header, limits};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// How long the server keeps a connection on which `sent` was sent, and how many bytes it answers. The client does not
/// answer pings.
async fn lifetime(server: &Server, sent: &[u8]) -> (Duration, usize) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    // The connection is reset if the server has not read everything.
    let _ = closed.expect("the server keeps it");
    (began.elapsed(), answer.len())
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = Server::start(limits()).await;
    for sent in [&b""[..], &PREFACE[..23]] {
        let (lived, answered) = lifetime(&server, sent).await;
        assert_eq!(answered, 0, "it is told who listens");
        let expected = Duration::from_millis(350)..Duration::from_millis(1200);
        assert!(expected.contains(&lived), "{} bytes: {lived:?}", sent.len());
    }
}

#[tokio::test]
async fn a_connection_without_a_call_is_closed() {
    let server = Server::start(limits()).await;
    let (lived, answered) = lifetime(&server, &[PREFACE, SETTINGS].concat()).await;
    assert!(answered > 0);
    assert!((Duration::from_millis(1400)..Duration::from_secs(3)).contains(&lived), "{lived:?}");
}

#[tokio::test]
async fn a_connection_with_calls_stays_and_may_be_idle() {
    let server = Server::start(limits()).await;
    for token in ["", "t"] {
        let mut raw = server.raw(token).await;
        let mut check = raw.call(HEALTH).await;
        check.send(&header(0), true).await;
        assert_eq!(check.status().await.0, tonic::Code::Ok);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!raw.ended.is_finished(), "it was closed although it is used");
    }
}

#[tokio::test]
async fn a_flood_of_silent_connections_locks_nobody_out() {
    // The time limits are generous here, so a connection is closed only to make room for another one.
    let patient = Limits { greeting: Duration::from_secs(60), ..limits() };
    let server = Server::start(patient).await;
    let mut early = server.client("early");
    assert_serves(&mut early).await;
    let mut raw = server.raw("early").await;
    let mut call = raw.call(crate::server::COMMIT).await;
    call.send(&header(0), true).await;
    assert_eq!(call.status().await.0, tonic::Code::Ok);
    let mut flood = Vec::new();
    for number in 0..100 {
        flood.push(TcpStream::connect(server.address).await.unwrap());
        if number % 25 == 0 {
            server.assert_serves("somebody").await;
        }
    }
    server.assert_serves("somebody").await;
    assert_serves(&mut early).await;
    assert!(!raw.ended.is_finished(), "a caller made room for a stranger");
    let mut open = 0;
    for stream in &mut flood {
        let closed = tokio::time::timeout(Duration::from_millis(10), stream.read_u8()).await;
        open += usize::from(closed.is_err());
    }
    assert!(open <= 8, "{open} are still open, and 8 may be");
}

/// No place is lost when strangers leave on their own.
#[tokio::test]
async fn places_are_given_back() {
    let server = Server::start(limits()).await;
    for _ in 0..50 {
        server.assert_serves("somebody").await;
        drop(TcpStream::connect(server.address).await.unwrap());
    }
    server.assert_serves("somebody").await;
}

#[tokio::test]
async fn an_old_connection_ends_after_its_calls() {
    let server = Server::start(Limits { connection_age: Duration::from_millis(500), ..limits() }).await;
    let mut raw = server.raw("t").await;
    let mut slow = raw.begin(crate::server::STAGE, 0, 0).await;
    assert!(slow.is_open_after(Duration::from_millis(1200)).await, "a running call was cut");
    slow.send(&header(0), true).await;
    assert_eq!(slow.status().await.0, tonic::Code::Ok);
    let ended = tokio::time::timeout(Duration::from_secs(2), raw.ended).await;
    assert!(ended.expect("it stays for ever").unwrap(), "it did not end in order");
    server.assert_serves("t").await;
}
