//! A range of one object, as a stream that is complete or ends with an error.
//!
//! If a connection breaks in the middle of a long range, another one reads the rest, provided that the etag is known:
//! the rest of another object would not match.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, try_unfold};
use tokio::time::sleep;

use super::place::Place;
use super::retry::Retry;
use super::{Answer, Problem};

/// The object being read.
pub(super) struct Reading {
    pub(super) place: Arc<dyn Place>,
    pub(super) key: String,
    /// The range still to be read.
    pub(super) rest: Range<u64>,
    pub(super) etag: Option<String>,
    /// Counted from the last piece.
    pub(super) retries: Duration,
}

type Pieces = BoxStream<'static, Answer<Bytes>>;

impl Reading {
    /// The pieces; `first` are those of the request that found the object.
    pub(super) fn continued(self, first: Pieces) -> Pieces {
        let expected = self.rest.end.saturating_sub(self.rest.start);
        try_unfold((self, Some(first)), move |(mut reading, mut pieces)| async move {
            let piece = reading.next(&mut pieces, expected).await?;
            Ok(piece.map(|piece| (piece, (reading, pieces))))
        })
        .boxed()
    }

    async fn next(&mut self, pieces: &mut Option<Pieces>, expected: u64) -> Answer<Option<Bytes>> {
        let mut retry = Retry::within(self.retries);
        loop {
            match self.piece(pieces).await {
                Ok(None) if self.rest.is_empty() => return Ok(None),
                Ok(None) => return Err(self.not_whole(expected, 0)),
                Ok(Some(piece)) => return self.took(piece, expected).map(Some),
                Err(problem) => {
                    let wait = retry.wait_after(&problem).filter(|_| self.etag.is_some());
                    sleep(wait.ok_or(problem)?).await;
                    *pieces = None;
                }
            }
        }
    }

    async fn piece(&self, pieces: &mut Option<Pieces>) -> Answer<Option<Bytes>> {
        let pieces = match pieces {
            Some(pieces) => pieces,
            None => pieces.insert(self.place.read(&self.key, self.rest.clone(), self.etag.as_deref()).await?),
        };
        pieces.next().await.transpose()
    }

    fn took(&mut self, piece: Bytes, expected: u64) -> Answer<Bytes> {
        let length = piece.len() as u64;
        if length > self.rest.end - self.rest.start {
            return Err(self.not_whole(expected, length));
        }
        self.rest.start += length;
        Ok(piece)
    }

    fn not_whole(&self, expected: u64, more: u64) -> Problem {
        Problem::Short { expected, found: expected - (self.rest.end - self.rest.start) + more }
    }
}
