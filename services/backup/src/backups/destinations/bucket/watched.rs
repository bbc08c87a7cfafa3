//! HTTP bodies that reveal a silent server: a request's body notes when the server takes a piece, and an answer's body
//! fails if the server sends nothing for too long.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpRequestBody};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::transport::Failure;

/// Maximum size of a piece that a server takes at once: small enough that a slow link is not mistaken for a silent one.
const FRAME: usize = 64 << 10;

/// When the server last took a piece of a request.
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    pub(super) fn begin() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if nothing was taken and no answer arrived for `silence`.
    pub(super) async fn watch<T>(&self, silence: Duration, answer: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(answer);
        loop {
            let ends = self.last() + silence;
            tokio::select! {
                answer = &mut answer => return Some(answer),
                () = sleep_until(ends) => if self.last() + silence <= ends { return None },
            }
        }
    }
}

/// The body of a request, in small frames.
pub(super) struct Sent {
    body: HttpRequestBody,
    rest: Bytes,
    progress: Arc<Progress>,
}

impl Sent {
    pub(super) fn new(body: HttpRequestBody, progress: Arc<Progress>) -> Self {
        Self { body, rest: Bytes::new(), progress }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.progress.note();
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                other => return Poll::Ready(other),
            }
        }
        let length = self.rest.len().min(FRAME);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint().exact().unwrap_or_default();
        SizeHint::with_exact(rest + self.rest.len() as u64)
    }
}

/// The body of an answer, with a limited number of bytes.
pub(super) struct Taken<B> {
    body: B,
    silence: Duration,
    rest: u64,
    /// Runs only while the reader waits for a piece, not while it processes one.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> Taken<B> {
    pub(super) fn new(body: B, silence: Duration, limit: u64) -> Self {
        Self { body, silence, rest: limit, alarm: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Taken<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        let Poll::Ready(taken) = Pin::new(&mut this.body).poll_frame(context) else {
            let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(this.silence)));
            ready!(alarm.as_mut().poll(context));
            let why = format!("its answer stopped for {} s", this.silence.as_secs());
            return Poll::Ready(Some(Err(Failure::Away(why).into())));
        };
        this.alarm = None;
        let Some(taken) = taken else { return Poll::Ready(None) };
        let Ok(frame) = taken else {
            return Poll::Ready(Some(Err(Failure::Away("its answer ended early".into()).into())));
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(rest) = this.rest.checked_sub(length) else {
            return Poll::Ready(Some(Err(Failure::Foreign.into())));
        };
        this.rest = rest;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_a_little_at_a_time_is_not_silent() {
        let (progress, silence) = (Progress::begin(), Duration::from_secs(30));
        let slow = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(29)).await;
                progress.note();
            }
        };
        assert!(progress.watch(silence, slow).await.is_some());
        let began = Instant::now();
        assert!(progress.watch(silence, std::future::pending::<()>()).await.is_none());
        assert_eq!(began.elapsed().as_secs(), 30);
    }
}
