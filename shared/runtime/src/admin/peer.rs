//! Access to the page.

use std::net::SocketAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use crate::plaintext::{is_loopback, is_loopback_host};

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Peer {
    /// Admits requests from this machine that use a loopback `Host`.
    ///
    /// # Errors
    /// The sentence to answer with.
    pub(super) fn check(self, headers: &HeaderMap) -> Result<(), &'static str> {
        if !is_loopback(self.0.ip()) {
            return Err(
                "This page is shown only to requests from its own machine: use a browser there, `kubectl \
                        port-forward`, or ssh -L. /metrics, /livez and /readyz answer everybody.",
            );
        }
        if !names_loopback(headers) {
            return Err("This page is shown under the names localhost, 127.0.0.1 and [::1] only.");
        }
        Ok(())
    }
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(host) = host.to_str().ok().filter(|host| !host.contains('@')) else { return false };
    host.parse::<Authority>().is_ok_and(|authority| is_loopback_host(authority.host()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn is_let_in(peer: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        Peer(peer.parse().unwrap()).check(&headers).is_ok()
    }

    #[test]
    fn this_machine_by_its_own_names() {
        for host in
            ["localhost", "localhost:7611", "LOCALHOST:1", "127.0.0.1:7611", "[::1]:7611", "127.9.9.9"]
        {
            assert!(is_let_in("127.0.0.1:50000", &[host]) && is_let_in("[::1]:50000", &[host]), "{host}");
        }
        assert!(is_let_in("[::ffff:127.0.0.1]:1", &["localhost"]));
    }

    #[test]
    fn nobody_else() {
        for peer in ["192.0.2.1:50000", "[2001:db8::1]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!is_let_in(peer, &["localhost:7611"]), "{peer}");
        }
        for host in
            ["rebound.example.com:7611", "localhost.example.com", "127.0.0.1.nip.io", "", "x@localhost"]
        {
            assert!(!is_let_in("127.0.0.1:50000", &[host]), "{host}");
        }
        assert!(!is_let_in("127.0.0.1:50000", &[]));
        assert!(!is_let_in("127.0.0.1:50000", &["localhost", "localhost"]));
    }
}
