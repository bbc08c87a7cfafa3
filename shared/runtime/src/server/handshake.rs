//! The TLS handshake of a new connection, with the certificates current at that moment.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::connection::Connection;
use super::transport::Transport;
use super::unencrypted;
use crate::identity;
use crate::tls::{Reason, ServerTls};

/// First byte of a TLS handshake record.
const HANDSHAKE: u8 = 22;
/// Maximum number of bytes to read from a refused client.
const LEFT_OVER: u64 = 64 << 10;

/// The connection after its handshake; `None` if that failed or took longer than `limit`, or its place was needed.
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
            // A client that does not read the reason goes without it.
            let _ = timeout(limit, part(connection, reason)).await;
        }
        None
    };
    tokio::select! {
        () = evicted => None,
        shaken = shaking => shaken,
    }
}

/// A failed handshake, with the connection if the other end can still be told why.
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
    // rustls has verified it against the authorities.
    if let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) {
        connection.peer().identify(identity::names(certificate));
    }
    Ok(Transport::Tls(Box::new(stream)))
}

async fn part(connection: Connection, reason: Reason) -> io::Result<()> {
    match reason {
        Reason::Plaintext => unencrypted::refuse(connection).await,
        _ => take_leave(connection).await,
    }
}

/// Reads the client's remaining bytes: closing a connection with unread bytes resets it, and the client would not get
/// the last bytes sent to it, which say why it is refused.
pub(super) async fn take_leave(mut connection: Connection) -> io::Result<()> {
    connection.shutdown().await?;
    tokio::io::copy(&mut connection.take(LEFT_OVER), &mut tokio::io::sink()).await?;
    Ok(())
}
