//! The TLS handshake of a new connection, by the certificates of that moment.
//!
//! A client that speaks HTTP without TLS gets the reason in HTTP: a closed connection would leave its user to guess.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::connection::{Connection, PREFACE};
use super::transport::Transport;
use crate::identity;
use crate::tls::{Reason, ServerTls};

/// How a TLS record of the handshake begins.
const HANDSHAKE: u8 = 22;
/// An empty SETTINGS, then GOAWAY with PROTOCOL_ERROR and a sentence that clients show.
const HTTP2_ANSWER: &[u8] =
    b"\0\0\0\x04\0\0\0\0\0\0\0\x32\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01this port speaks TLS; use an https address";
const HTTP1_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\n\r\nthis port speaks TLS; use an https URL";
/// Bytes that are read from a client that was refused.
const LEFT_OVER: u64 = 64 << 10;

/// The connection after its handshake; `None` when that failed, took longer than `limit`, or its place was needed.
pub(super) async fn shake_hands(
    tls: Arc<ServerTls>,
    connection: Connection,
    limit: Duration,
) -> Option<Transport> {
    let (address, evicted) = (connection.peer().address(), connection.peer().evicted());
    let shaking = async {
        let (error, reason, connection) = match timeout(limit, handshake(&tls, connection)).await {
            Ok(Ok(transport)) => return Some(transport),
            Ok(Err(Failed { error, reason, connection })) => (error, reason, connection),
            Err(_) => (io::ErrorKind::TimedOut.into(), Reason::Timeout, None),
        };
        tracing::debug!(%address, %error, "TLS handshake failed");
        tls.handshakes().failed(address, reason);
        if let Some(connection) = connection {
            // A client that does not read the reason does without.
            let _ = timeout(limit, part(connection, reason)).await;
        }
        None
    };
    tokio::select! {
        () = evicted => None,
        shaken = shaking => shaken,
    }
}

/// A handshake that failed, and the connection where the other end may still be told why.
struct Failed {
    error: io::Error,
    reason: Reason,
    connection: Option<Connection>,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self { reason: Reason::of(&error), error, connection: None }
    }
}

async fn handshake(tls: &ServerTls, connection: Connection) -> Result<Transport, Failed> {
    if connection.first_byte().await?.is_some_and(|first| first != HANDSHAKE) {
        let error = io::Error::other("it does not speak TLS");
        return Err(Failed { error, reason: Reason::Plaintext, connection: Some(connection) });
    }
    let stream = match tls.acceptor().accept(connection).into_fallible().await {
        Ok(stream) => stream,
        Err((error, connection)) => {
            return Err(Failed { reason: Reason::of(&error), error, connection: Some(connection) });
        }
    };
    let (connection, session) = stream.get_ref();
    // rustls has checked it against the authorities.
    if let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) {
        connection.peer().identify(identity::names(certificate));
    }
    Ok(Transport::Tls(Box::new(stream)))
}

async fn part(connection: Connection, reason: Reason) -> io::Result<()> {
    match reason {
        Reason::Plaintext => refuse_plaintext(connection).await,
        _ => take_leave(connection).await,
    }
}

async fn refuse_plaintext(mut connection: Connection) -> io::Result<()> {
    // As much as a connection has to say before it hears anything.
    let mut first = [0; PREFACE];
    connection.read_exact(&mut first).await?;
    let answer = match &first[..4] {
        b"PRI " => HTTP2_ANSWER,
        start if start.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b' ')) => HTTP1_ANSWER,
        _ => return Ok(()),
    };
    connection.write_all(answer).await?;
    take_leave(connection).await
}

/// Closing what was not read would reset the connection, and what was said last, a reason, would be lost.
async fn take_leave(mut connection: Connection) -> io::Result<()> {
    connection.shutdown().await?;
    tokio::io::copy(&mut connection.take(LEFT_OVER), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_have_the_lengths_that_they_say() {
        // Behind SETTINGS and the header of GOAWAY, nine bytes each.
        assert_eq!(usize::from(HTTP2_ANSWER[11]), HTTP2_ANSWER.len() - 18);
        let text = String::from_utf8_lossy(HTTP1_ANSWER);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
    }
}
