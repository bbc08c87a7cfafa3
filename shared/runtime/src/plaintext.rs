//! Where HTTP without TLS is allowed: on loopback, and elsewhere only with explicit permission.
//!
//! Tokens and secrets travel on every connection. A mesh that encrypts is a good reason to give the permission; missing
//! certificates are not.

use std::net::{IpAddr, SocketAddr};

use crate::error::{Error, Result};

/// Refuses to listen on `address` without TLS unless it is loopback or `allowed`.
///
/// # Errors
/// [`Error::PlaintextListener`].
pub(crate) fn check_listener(address: SocketAddr, encrypted: bool, allowed: bool) -> Result<()> {
    if encrypted || allowed || is_loopback(address.ip()) {
        return Ok(());
    }
    Err(Error::PlaintextListener(address))
}

/// Refuses an `http:` URL of another machine unless `allowed`.
///
/// # Errors
/// [`Error::PlaintextTarget`].
pub(crate) fn check_target(url: &http::Uri, allowed: bool) -> Result<()> {
    let plaintext = url.scheme() == Some(&http::uri::Scheme::HTTP);
    if !plaintext || allowed || url.host().is_some_and(is_loopback_host) {
        return Ok(());
    }
    Err(Error::PlaintextTarget(url.host().unwrap_or_default().to_owned()))
}

/// `localhost` and loopback addresses. Any other name can lead to another machine, whatever it resolves to now.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_listener_needs_loopback_tls_or_a_word() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            check_listener(address.parse().unwrap(), false, false).unwrap();
        }
        for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "192.0.2.1:1", "[2001:db8::1]:1"] {
            let address = address.parse().unwrap();
            let message = check_listener(address, false, false).unwrap_err().to_string();
            assert!(message.contains(&address.to_string()), "{message}");
            assert!(message.contains("cert_file") && message.contains("plaintext = true"), "{message}");
            check_listener(address, true, false).unwrap();
            check_listener(address, false, true).unwrap();
        }
    }

    #[test]
    fn a_target_needs_loopback_tls_or_a_word() {
        for url in ["http://localhost:1", "http://LOCALHOST", "http://127.0.0.2:1", "http://[::1]:1"] {
            check_target(&url.parse().unwrap(), false).unwrap();
        }
        for url in [
            "http://vault:7601",
            "http://10.0.0.1:1",
            "http://localhost.example.com",
            "http://127.0.0.1.nip.io",
        ] {
            let url: http::Uri = url.parse().unwrap();
            let message = check_target(&url, false).unwrap_err().to_string();
            assert!(message.contains(url.host().unwrap()), "{message}");
            assert!(
                message.contains("https://") && message.contains("STRONGROOM_PLAINTEXT=true"),
                "{message}"
            );
            check_target(&url, true).unwrap();
        }
        check_target(&"https://vault:7601".parse().unwrap(), false).unwrap();
    }
}
