//! HTTP as used by probes and scrapers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Time limit for any answer of the admin port.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as `200`.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Gets `path` from `address` (`host:port`) with the host name `host`; `None` if nothing answers.
#[must_use]
pub fn get_as(address: &str, host: &str, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// The same with the address as the host name.
#[must_use]
pub fn get(address: &str, path: &str) -> Option<Answer> {
    get_as(address, address, path)
}
