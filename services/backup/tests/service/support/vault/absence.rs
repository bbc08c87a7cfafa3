//! Methods that the fake vault answers with UNAVAILABLE.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::layer::{LayerFn, layer_fn};

use super::State;

/// Checks the state's list before each call.
pub(super) fn layer<S>(state: Arc<State>) -> LayerFn<impl Fn(S) -> Absence<S> + Clone> {
    layer_fn(move |inner| Absence { inner, state: Arc::clone(&state) })
}

#[derive(Clone)]
pub(super) struct Absence<S> {
    inner: S,
    state: Arc<State>,
}

impl<S> tower::Service<Request<Body>> for Absence<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Self::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.uri().path();
        if self.state.away.lock().unwrap().iter().any(|away| method.contains(away)) {
            return Either::Right(ready(Ok(Status::unavailable("on the way out").into_http())));
        }
        Either::Left(self.inner.call(request))
    }
}
