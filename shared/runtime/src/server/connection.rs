//! A TCP connection below HTTP/2, with or without TLS. A silent peer is sent nothing, and its connection is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::connections::Peer;

/// Length of the preface with which HTTP/2 begins (RFC 9113, 3.4); a TLS handshake begins with more.
pub(super) const PREFACE: usize = 24;

/// A connection with a place. It is watched until one of its calls is admitted.
pub(super) struct Connection {
    stream: TcpStream,
    peer: Peer,
    watch: Option<Watch>,
    /// Bytes written before the peer's greeting arrived: most scanners never learn which server listens.
    unsent: Vec<u8>,
}

/// Conditions that end a connection that has not authenticated.
struct Watch {
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    /// `None` after the first call.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the greeting that have not arrived yet.
    missing: usize,
    first_call: Instant,
}

/// Room for HTTP/2's settings, which the server writes before it reads.
const MAX_UNSENT: usize = 1 << 10;

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: Peer, greeting: Duration, first_call: Duration) -> Self {
        let now = Instant::now();
        let watch = Watch {
            evicted: Box::pin(peer.evicted()),
            deadline: Some(Box::pin(sleep_until(now + greeting))),
            missing: PREFACE,
            first_call: now + first_call,
        };
        Self { stream, peer, watch: Some(watch), unsent: Vec::new() }
    }

    /// The other end.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Waits for the first byte without consuming it. `None` if the connection ends first.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let peeked = self.stream.peek(&mut first).await?;
        Ok((peeked > 0).then_some(first[0]))
    }

    fn has_greeted(&self) -> bool {
        self.watch.as_ref().is_none_or(|watch| watch.missing == 0)
    }

    /// Buffers `bytes` until the peer has greeted.
    fn put_off(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(MAX_UNSENT.saturating_sub(self.unsent.len()));
        if length == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::Error::other(
                "more than 1 KiB was to be sent before the peer's greeting arrived",
            )));
        }
        self.unsent.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    /// Ready when all buffered bytes have been sent.
    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes with `write`, after the buffered bytes.
    fn poll_write_with(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let polled = match self.poll_unsent(context) {
            Poll::Ready(Ok(())) => write(Pin::new(&mut self.stream), context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        self.watched(polled, context)
    }

    /// Also ends a pending read or write when the connection must end: a peer that does not read answers is not read
    /// from either.
    fn watched<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() || self.watch.is_none() {
            return polled;
        }
        if self.peer.is_authenticated() {
            self.watch = None;
            return polled;
        }
        let Some(watch) = &mut self.watch else { return polled };
        watch.poll_end(&self.peer, context).map(Err)
    }
}

impl Watch {
    fn poll_end(&mut self, peer: &Peer, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.evicted.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "its place was given to another connection",
            ));
        }
        if peer.has_called() {
            self.deadline = None;
        }
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        if deadline.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.missing > 0 || Instant::now() >= self.first_call {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no call arrived"));
        }
        deadline.as_mut().reset(self.first_call);
        deadline.as_mut().poll(context).map(|()| io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(watch) = &mut self.watch {
            watch.missing = watch.missing.saturating_sub(buffer.filled().len() - before);
        }
        if self.has_greeted() && !self.unsent.is_empty() {
            // Sent now, because the connection of a peer that speaks another protocol is closed next, and these bytes
            // tell it why.
            let _ = self.poll_unsent(context)?;
        }
        self.watched(polled, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.has_greeted() {
            return self.put_off(bytes);
        }
        self.poll_write_with(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.has_greeted() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.put_off(first.map_or(&[], |slice| slice));
        }
        self.poll_write_with(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_greeted() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_unsent(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.peer.closed();
    }
}
