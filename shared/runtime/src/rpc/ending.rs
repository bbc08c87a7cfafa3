//! The end of a call: the code in its trailers, or none if it is dropped first.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

/// `response`, which calls `ended` once: at its trailers, at an error, or when it is dropped before either.
pub(super) fn at_end<F>(response: Response<Body>, ended: F) -> Response<Body>
where
    F: FnOnce(Option<Code>) + Send + Unpin + 'static,
{
    // A refusal without a body carries its code in the headers.
    if let Some(code) = code_of(response.headers()) {
        ended(Some(code));
        return response;
    }
    response.map(|body| Body::new(Ending { body, ended: Some(ended) }))
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
}

struct Ending<F: FnOnce(Option<Code>)> {
    body: Body,
    ended: Option<F>,
}

impl<F: FnOnce(Option<Code>)> Ending<F> {
    fn end(&mut self, code: Option<Code>) {
        if let Some(ended) = self.ended.take() {
            ended(code);
        }
    }
}

impl<F: FnOnce(Option<Code>) + Unpin> http_body::Body for Ending<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(Some(code_of(trailers).unwrap_or(Code::Unknown)));
                }
            }
            Poll::Ready(Some(Err(status))) => self.end(Some(status.code())),
            // A complete gRPC answer has trailers; this one has none.
            Poll::Ready(None) => self.end(Some(Code::Unknown)),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(Option<Code>)> Drop for Ending<F> {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body::Body as _;

    use super::*;

    /// The recorded ends.
    type Ends = Arc<Mutex<Vec<Option<Code>>>>;

    fn observed(body: Body) -> (Response<Body>, Ends) {
        let codes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&codes);
        (at_end(Response::new(body), move |code| seen.lock().unwrap().push(code)), codes)
    }

    async fn take(response: &mut Response<Body>) -> Option<Frame<Bytes>> {
        std::future::poll_fn(|context| Pin::new(response.body_mut()).poll_frame(context))
            .await
            .map(|frame| frame.unwrap())
    }

    /// One byte, then OK.
    struct Answer(u8);

    impl http_body::Body for Answer {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            self.0 += 1;
            let ok =
                HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), "0".parse().unwrap())]);
            Poll::Ready(match self.0 {
                1 => Some(Ok(Frame::data(Bytes::from_static(b"x")))),
                2 => Some(Ok(Frame::trailers(ok))),
                _ => None,
            })
        }
    }

    #[tokio::test]
    async fn a_call_ends_once_with_its_trailers() {
        let (mut response, codes) = observed(Body::new(Answer(0)));
        take(&mut response).await.unwrap();
        assert!(codes.lock().unwrap().is_empty(), "it has not ended");
        take(&mut response).await.unwrap();
        assert!(take(&mut response).await.is_none());
        drop(response);
        assert_eq!(*codes.lock().unwrap(), [Some(Code::Ok)]);
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_ends_without_a_code() {
        let (mut response, codes) = observed(Body::new(Answer(0)));
        take(&mut response).await.unwrap();
        drop(response);
        assert_eq!(*codes.lock().unwrap(), [None]);
    }

    #[test]
    fn a_refusal_has_its_code_in_the_headers() {
        let codes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&codes);
        let refusal = Status::not_found("nothing").into_http();
        drop(at_end(refusal, move |code| seen.lock().unwrap().push(code)));
        assert_eq!(*codes.lock().unwrap(), [Some(Code::NotFound)]);
    }
}
