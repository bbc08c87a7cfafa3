//! Accepting connections. A shortage of descriptors is waited out; each TLS handshake has its own task, so that a slow
//! one delays nobody.

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

/// Pause between two attempts to accept when the system is out of resources. Without it, the loop would spin: the
/// connection stays queued, and the listener stays ready.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Every connection that gets a place and, with `tls`, completes its handshake. The stream never ends and never fails.
pub(super) fn incoming(
    listener: TcpListener,
    connections: Arc<Connections>,
    limits: &Limits,
    tls: Option<Arc<ServerTls>>,
) -> impl Stream<Item = io::Result<Transport>> + use<> {
    let (greeting, first_call) = (limits.greeting, limits.first_call);
    async_stream::stream! {
        // Dropped with the stream: a client whose handshake is unfinished at that point is not served.
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
                        // Without `TCP_NODELAY`, answers wait for acknowledgements, but still arrive.
                        let _ = stream.set_nodelay(true);
                        Connection::new(stream, peer, greeting, first_call)
                    }
                    None => {
                        tracing::debug!(%address, "no room for another connection: authenticated callers hold them all");
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

/// Makes room and waits, unless the next connection may succeed.
async fn wait_out(error: &io::Error, connections: &Connections) {
    if is_about_one(error) {
        return;
    }
    let made_room = connections.evict_oldest();
    tracing::warn!(%error, made_room, "cannot accept connections now");
    tokio::time::sleep(BACK_OFF).await;
}

/// Whether only the connection in question is gone, so that the next one may succeed (accept(2)).
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::INTR | Errno::AGAIN | Errno::PROTO | Errno::PERM)
    )
}
