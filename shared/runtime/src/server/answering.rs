//! Answers: they count as well, until somebody has taken them.
//!
//! HTTP/2 lets a client take nothing. hyper hands a chunk of a body to the transport as soon as a single byte may be
//! sent, and forgets the body with its last chunk. So the last byte of a long answer is a chunk of its own: it is asked
//! for when everything before it was taken.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::budget::{CALL, Charge};
use crate::rpc::Shape;

/// An answer's body, with what its call is charged.
pub(super) struct Answering {
    body: Body,
    /// Of a stream only its end would be held back, which is short.
    single: bool,
    last: Option<Bytes>,
    charge: Arc<Charge>,
}

impl Answering {
    pub(super) fn new(body: Body, shape: Shape, charge: Arc<Charge>) -> Self {
        Self { body, single: !shape.server_streams, last: None, charge }
    }

    fn hold_back(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(mut data) if self.single && data.len() > CALL => {
                self.charge.add_answer(data.len());
                self.last = Some(data.split_off(data.len() - 1));
                Frame::data(data)
            }
            Ok(data) => Frame::data(data),
            Err(trailers) => trailers,
        }
    }
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(last) = self.last.take() {
            return Poll::Ready(Some(Ok(Frame::data(last))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| frame.map(|frame| frame.map(|frame| self.hold_back(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
