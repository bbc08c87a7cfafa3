//! Accepting connections. A lack of descriptors is waited out; a TLS handshake has a task of its own, so that one that
//! crawls delays nobody.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::Stream;

use super::connection::Connection;
use super::connections::Connections;
use super::handshake::shake_hands;
use super::limits::Limits;
use super::transport::Transport;
use crate::tls::ServerTls;

/// Between two tries when the system has nothing left to accept with. Without it, the loop would spin: the connection
/// stays in the queue and the listener ready.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Every connection that finds a place and, with `tls`, shakes hands. It never ends and never fails.
pub(super) fn incoming(
    listener: TcpListener,
    connections: Arc<Connections>,
    limits: &Limits,
    tls: Option<Arc<ServerTls>>,
) -> impl Stream<Item = io::Result<Transport>> + use<> {
    let (greeting, first_call) = (limits.greeting, limits.first_call);
    async_stream::stream! {
        // Dropped with the stream: who has not finished shaking hands then is not served.
        let mut handshakes = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(shaken) = handshakes.join_next() => {
                    if let Ok(Some(transport)) = shaken {
                        yield Ok(transport);
                    }
                    continue;
                }
            };
            let connection = match accepted {
                Ok((stream, address)) => match connections.admit(address) {
                    Some(peer) => {
                        // Without it answers wait for acknowledgements. They still arrive.
                        let _ = stream.set_nodelay(true);
                        Connection::new(stream, peer, greeting, first_call)
                    }
                    None => {
                        tracing::debug!(%address, "no place: all connections belong to callers");
                        continue;
                    }
                },
                Err(error) => {
                    wait_out(&error, &connections).await;
                    continue;
                }
            };
            match &tls {
                Some(tls) => drop(handshakes.spawn(shake_hands(Arc::clone(tls), connection, greeting))),
                None => yield Ok(Transport::Plain(connection)),
            }
        }
    }
}

/// Makes room and waits, unless the next connection may be fine.
async fn wait_out(error: &io::Error, connections: &Connections) {
    if is_about_one(error) {
        return;
    }
    let made_room = connections.evict_oldest();
    tracing::warn!(%error, made_room, "cannot accept connections now");
    tokio::time::sleep(BACK_OFF).await;
}

/// Whether the connection in question is gone, and the next one may be fine (accept(2)).
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::INTR | Errno::AGAIN | Errno::PROTO | Errno::PERM)
    )
}
