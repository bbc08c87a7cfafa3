//! Answers: they count too, until the client has read them.
//!
//! HTTP/2 lets a client read nothing. hyper hands a chunk of a body to the transport as soon as a single byte can be
//! sent, and drops the body with its last chunk. So the last byte of a long answer is a chunk of its own: it is
//! requested once everything before it has been read.
//!
//! A stream that still runs when the service must end gets an error: a broken connection gives no reason.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;

use super::budget::{CALL, Charge};
use crate::rpc::Shape;
use crate::status::unavailable;

const STOPPING: &str =
    "the service is stopping and has ended this stream; call again, another process may answer";
/// Time until another process should be available.
const RETRY: Duration = Duration::from_secs(2);

/// The body of an answer, with its call's charge.
pub(super) struct Answering {
    body: Body,
    /// Whether to hold back the last byte. The last byte of a stream would cover only its short end.
    single: bool,
    last: Option<Bytes>,
    charge: Arc<Charge>,
    /// For a stream: when it must end.
    end: Option<End>,
}

/// When a stream must end, and the domain of its error.
struct End {
    domain: &'static str,
    reached: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Answering {
    /// `body`, which is cut off at `end` if it is a stream, with an error of `domain`.
    pub(super) fn new(
        body: Body,
        shape: Shape,
        charge: Arc<Charge>,
        domain: &'static str,
        end: &CancellationToken,
    ) -> Self {
        let end = || End { domain, reached: Box::pin(end.clone().cancelled_owned()) };
        let end = shape.server_streams.then(end);
        Self { body, single: !shape.server_streams, last: None, charge, end }
    }

    /// The trailers of a stream that must end now. Its source is dropped.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Option<Frame<Bytes>> {
        let end = self.end.as_mut()?;
        if end.reached.as_mut().poll(context).is_pending() {
            return None;
        }
        let refusal = unavailable(end.domain, "STOPPING", STOPPING, RETRY);
        self.body = Body::empty();
        self.end = None;
        let mut trailers = HeaderMap::new();
        // Fails only for texts that a header cannot carry; a header can carry these.
        let _ = refusal.add_header(&mut trailers);
        Some(Frame::trailers(trailers))
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
        if let Some(trailers) = self.poll_end(context) {
            return Poll::Ready(Some(Ok(trailers)));
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http_body::Body as _;
    use tonic::Code;

    use super::super::budget::Budget;
    use super::*;
    use crate::status::reason_of;

    fn answering(shape: Shape, end: &CancellationToken) -> Answering {
        let charge = Budget::new("test.strongroom", 1 << 20, 1 << 20).begin("token:a", CALL, None).unwrap();
        // The body never ends on its own.
        let body = Body::new(http_body_util::StreamBody::new(tokio_stream::pending::<
            Result<Frame<Bytes>, Status>,
        >()));
        Answering::new(body, shape, charge, "test.strongroom", end)
    }

    async fn next(answering: &mut Answering) -> Option<Result<Frame<Bytes>, Status>> {
        let next = std::future::poll_fn(|context| Pin::new(&mut *answering).poll_frame(context));
        tokio::time::timeout(Duration::from_millis(50), next).await.unwrap_or(None)
    }

    #[tokio::test]
    async fn a_stream_is_told_when_the_service_stops() {
        let end = CancellationToken::new();
        let stream = Shape { server_streams: true, ..Shape::default() };
        let (mut stream, mut unary) = (answering(stream, &end), answering(Shape::default(), &end));
        assert!(next(&mut stream).await.is_none(), "it goes on");
        end.cancel();
        let trailers = next(&mut stream).await.unwrap().unwrap().into_trailers().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!((status.code(), &*reason_of(&status)), (Code::Unavailable, "STOPPING"));
        assert!(next(&mut stream).await.is_none());
        assert!(next(&mut unary).await.is_none(), "an answer that is there is sent to its end");
    }
}
