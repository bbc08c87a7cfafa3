//! Events that anybody can cause without a token, calls and handshakes: counted per peer, and logged in one line a
//! minute for each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Maximum number of peers counted separately; the rest is counted as one.
const MAX_PEERS: usize = 1000;

/// This minute's counts. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Strangers {
    /// Its name in the log: `calls without a valid token`.
    what: &'static str,
    counts: Arc<Mutex<HashMap<Option<IpAddr>, u64>>>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self::new("calls without a valid token")
    }
}

impl Strangers {
    /// Counts events that the log calls `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, counts: Arc::default() }
    }

    /// Counts one more. The first one starts the minute at whose end all are logged.
    pub(crate) fn count(&self, peer: Option<IpAddr>) {
        if self.add(peer) {
            let strangers = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(MINUTE).await;
                strangers.log();
            });
        }
    }

    /// Counts one more event. True for the first one of a minute.
    fn add(&self, peer: Option<IpAddr>) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = counts.is_empty();
        let known = counts.len() < MAX_PEERS || counts.contains_key(&peer);
        *counts.entry(peer.filter(|_| known)).or_default() += 1;
        first
    }

    fn take(&self) -> HashMap<Option<IpAddr>, u64> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn log(&self) {
        let what = self.what;
        for (peer, count) in self.take() {
            let peer = peer.map_or_else(|| "others".to_owned(), |peer| peer.to_string());
            tracing::warn!(peer, count, "{what} in the last minute");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn calls_are_counted_per_peer_and_the_map_is_bounded() {
        let strangers = Strangers::default();
        assert!(strangers.add(peer(1)), "the first call starts the minute");
        assert!(!strangers.add(peer(1)));
        for number in 2..=2000 {
            assert!(!strangers.add(peer(number)));
        }
        strangers.add(peer(1));
        let counts = strangers.take();
        assert_eq!(counts[&peer(1)], 3);
        assert_eq!(counts[&None], 1000);
        assert_eq!(counts.len(), MAX_PEERS + 1);
        assert!(strangers.add(peer(1)), "a new minute");
    }
}
