//! Open connections. If there is no room, the oldest connection that has not authenticated is ended.
//!
//! So a flood of silent connections displaces its own members, and never a caller.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Maximum number of concurrent calls without a token, health checks, on a connection.
const ANONYMOUS_CALLS: usize = 4;

/// The connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The next connection's number.
    next: u64,
    open: usize,
    /// Connections that have not authenticated, oldest first.
    strangers: BTreeMap<u64, CancellationToken>,
}

impl Connections {
    /// At most `limit` connections at the same time.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// A place for a new connection; `None` if authenticated callers hold all places.
    pub(crate) fn admit(self: &Arc<Self>, address: SocketAddr) -> Option<Peer> {
        let mut state = self.state();
        if state.open >= self.limit && !state.evict_oldest() {
            return None;
        }
        state.open += 1;
        let number = state.next;
        state.next += 1;
        let evicted = CancellationToken::new();
        state.strangers.insert(number, evicted.clone());
        Some(Peer(Arc::new(Connection {
            connections: Arc::clone(self),
            number,
            address,
            evicted,
            called: AtomicBool::new(false),
            authenticated: AtomicBool::new(false),
            anonymous: AtomicUsize::new(0),
            names: OnceLock::new(),
        })))
    }

    /// Ends the oldest unauthenticated connection to free a descriptor. False if there is none.
    pub(crate) fn evict_oldest(&self) -> bool {
        self.state().evict_oldest()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn evict_oldest(&mut self) -> bool {
        let Some((_, evicted)) = self.strangers.pop_first() else { return false };
        evicted.cancel();
        self.open -= 1;
        true
    }
}

/// The other end of a connection, found in the extensions of its requests.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    connections: Arc<Connections>,
    number: u64,
    address: SocketAddr,
    evicted: CancellationToken,
    called: AtomicBool,
    authenticated: AtomicBool,
    anonymous: AtomicUsize,
    /// The names in its certificate.
    names: OnceLock<Vec<String>>,
}

impl Peer {
    /// Its address as the transport sees it: behind a proxy, the proxy's.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.address.ip()
    }

    /// Records the names in its certificate, after a successful handshake.
    pub(crate) fn identify(&self, names: Vec<String>) {
        // The handshake happens once.
        let _ = self.0.names.set(names);
    }

    /// The names in its certificate; `None` if it has shown none.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.0.names.get().map(Vec::as_slice)
    }

    /// Records that a call has arrived.
    pub(crate) fn called(&self) {
        if !self.has_called() {
            self.0.called.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn has_called(&self) -> bool {
        self.0.called.load(Ordering::Relaxed)
    }

    /// Records that a call was admitted: this connection is never ended to make room.
    pub(crate) fn authenticated(&self) {
        // Once per connection, not once per call.
        if !self.is_authenticated() && !self.0.authenticated.swap(true, Ordering::Relaxed) {
            self.0.connections.state().strangers.remove(&self.0.number);
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.0.authenticated.load(Ordering::Relaxed)
    }

    /// Ready when this connection must make room.
    pub(crate) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.0.evicted.clone().cancelled_owned()
    }

    /// A place for a call without a token; `None` if the connection has too many in progress.
    pub(crate) fn anonymous_call(&self) -> Option<AnonymousCall> {
        let add = |calls| (calls < ANONYMOUS_CALLS).then_some(calls + 1);
        self.0.anonymous.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(AnonymousCall(self.clone()))
    }

    /// Records the end of the connection. Clones of its peer may live on in its calls.
    pub(crate) fn closed(&self) {
        let mut state = self.0.connections.state();
        state.strangers.remove(&self.0.number);
        // The place of an evicted connection is already taken.
        if !self.0.evicted.is_cancelled() {
            state.open -= 1;
        }
    }
}

/// The place of a call without a token; returned when dropped.
#[derive(Debug)]
pub(crate) struct AnonymousCall(Peer);

impl Drop for AnonymousCall {
    fn drop(&mut self) {
        self.0.0.anonymous.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn admit(connections: &Arc<Connections>) -> Option<Peer> {
        connections.admit("192.0.2.1:1".parse().unwrap())
    }

    fn has_to_go(peer: &Peer) -> bool {
        peer.0.evicted.is_cancelled()
    }

    /// Number of all connections, and of those that have not authenticated.
    fn counts(connections: &Connections) -> (usize, usize) {
        let state = connections.state();
        (state.open, state.strangers.len())
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_a_caller_never_does() {
        let connections = Connections::new(3);
        let [caller, first, second] = [(); 3].map(|()| admit(&connections).unwrap());
        caller.authenticated();
        let third = admit(&connections).unwrap();
        assert!(has_to_go(&first) && !has_to_go(&caller) && !has_to_go(&second));
        second.authenticated();
        third.authenticated();
        assert!(admit(&connections).is_none(), "all places belong to callers");
        first.closed();
        assert!(admit(&connections).is_none(), "its place was taken already");
        caller.closed();
        assert!(admit(&connections).is_some());
    }

    #[test]
    fn a_flood_leaves_no_trace() {
        let connections = Connections::new(2);
        for _ in 0..1000 {
            admit(&connections).unwrap().closed();
        }
        assert_eq!(counts(&connections), (0, 0));
        let peers: Vec<Peer> = (0..1000).map(|_| admit(&connections).unwrap()).collect();
        assert_eq!(counts(&connections), (2, 2));
        peers.iter().for_each(Peer::closed);
        assert_eq!(counts(&connections), (0, 0));
    }

    #[test]
    fn calls_without_a_token_are_few() {
        let peer = admit(&Connections::new(1)).unwrap();
        let mut calls: Vec<_> = (0..ANONYMOUS_CALLS).map(|_| peer.anonymous_call().unwrap()).collect();
        assert!(peer.anonymous_call().is_none());
        calls.pop();
        assert!(peer.anonymous_call().is_some());
    }
}
