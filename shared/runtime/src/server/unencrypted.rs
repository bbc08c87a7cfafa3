//! Refuses a client that speaks HTTP without TLS, in HTTP: a closed connection would leave its user guessing.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::connection::{Connection, PREFACE};
use super::handshake::take_leave;

/// An empty SETTINGS (RFC 9113, 6.5): some clients call only after receiving it.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// GOAWAY with PROTOCOL_ERROR and a message that clients show.
const GOAWAY: &[u8] = b"\0\0\x32\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01this port speaks TLS; use an https address";
const HTTP1_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\n\r\nthis port speaks TLS; use an https URL";

/// Type of the frame that begins a call.
const HEADERS: u8 = 1;
/// How long a client may take for its first call and still get the reason.
const FIRST_CALL: Duration = Duration::from_secs(2);
/// Maximum number of frames before the first call, and maximum bytes of each.
const MAX_FRAMES: usize = 16;
const MAX_FRAME: u64 = 16 << 10;

/// Says that this port speaks TLS, in the client's version of HTTP.
pub(super) async fn refuse(mut connection: Connection) -> io::Result<()> {
    // The bytes that any client sends before it gets an answer.
    let mut first = [0; PREFACE];
    connection.read_exact(&mut first).await?;
    match &first[..4] {
        b"PRI " => go_away(&mut connection).await?,
        start if start.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b' ')) => {
            connection.write_all(HTTP1_ANSWER).await?;
        }
        _ => return Ok(()),
    }
    take_leave(connection).await
}

/// A client that receives GOAWAY before its first call drops the reason along with the connection, and its call is
/// merely cancelled.
async fn go_away(connection: &mut Connection) -> io::Result<()> {
    connection.write_all(SETTINGS).await?;
    // A client that waits longer has no call that could fail.
    let _ = timeout(FIRST_CALL, first_call(connection)).await;
    connection.write_all(GOAWAY).await
}

/// Reads frames up to the header of the frame that begins a call.
async fn first_call(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    for _ in 0..MAX_FRAMES {
        let mut header = [0; 9];
        connection.read_exact(&mut header).await?;
        if header[3] == HEADERS {
            return Ok(());
        }
        let length = u64::from(u32::from_be_bytes([0, header[0], header[1], header[2]]));
        let payload = connection.take(length.min(MAX_FRAME));
        tokio::io::copy(&mut { payload }, &mut tokio::io::sink()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_have_the_lengths_that_they_say() {
        assert_eq!(usize::from(GOAWAY[2]), GOAWAY.len() - 9);
        let text = String::from_utf8_lossy(HTTP1_ANSWER);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
    }
}
