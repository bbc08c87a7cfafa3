//! Failed handshakes: counted by reason, and logged once a minute for each peer, because anybody can cause them.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::strangers::Strangers;

/// Why a handshake fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The peer does not speak TLS.
    Plaintext,
    /// The client showed no certificate, or one that is not valid here.
    Certificate,
    /// The peer refused, usually this server's certificate.
    Alert,
    /// It took too long.
    Timeout,
    /// The peer closed the connection without sending anything: a port scanner, or a probe of the port.
    Closed,
    /// Anything else: another version of TLS, broken records.
    Protocol,
}

impl Reason {
    const ALL: [Self; 6] =
        [Self::Plaintext, Self::Certificate, Self::Alert, Self::Timeout, Self::Closed, Self::Protocol];

    /// The label of the metric.
    fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Certificate => "certificate",
            Self::Alert => "alert",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }

    /// The reason in an error of rustls or of the connection.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)) => {
                Self::Certificate
            }
            Some(rustls::Error::AlertReceived(_)) => Self::Alert,
            Some(_) => Self::Protocol,
            None => Self::Closed,
        }
    }
}

/// The failed handshakes of a listener.
#[derive(Debug)]
pub(crate) struct Handshakes {
    failed: [AtomicU64; Reason::ALL.len()],
    strangers: Strangers,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self { failed: Default::default(), strangers: Strangers::new("failed TLS handshakes") }
    }
}

impl Handshakes {
    /// Counts a failure of `peer`. A peer that merely closed the connection is not logged.
    pub(crate) fn failed(&self, peer: IpAddr, reason: Reason) {
        self.failed[reason as usize].fetch_add(1, Ordering::Relaxed);
        if reason != Reason::Closed {
            self.strangers.count(Some(peer));
        }
    }

    /// Number of failures for each reason.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let count = |reason: Reason| (reason.as_str(), self.failed[reason as usize].load(Ordering::Relaxed));
        Reason::ALL.map(count).into()
    }
}
