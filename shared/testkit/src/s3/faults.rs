//! Faults of an S3 service, and the requests that they affect.

use std::time::Duration;

use http::Method;

use super::{Recorded, Shared};

/// Requests that fail, and how.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method; `None` matches any.
    pub method: Option<Method>,
    /// Text that the path or the query must contain.
    pub contains: &'static str,
    /// The effect on the request.
    pub effect: Effect,
    /// Number of requests affected.
    pub times: usize,
}

/// The effect of a fault on a request.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// The request is refused with this status and S3 error code.
    Refuse(u16, &'static str),
    /// The response is delayed by this duration.
    Wait(Duration),
    /// The request is never answered.
    Silence,
    /// The response ends after this many bytes of its body.
    Cut(usize),
    /// The request is carried out, but the connection is lost before the response.
    LoseAnswer,
    /// The request is carried out as if it had no `If-Match`, as in some services.
    IgnoreCondition,
}

impl Fault {
    /// Affects all requests, always.
    #[must_use]
    pub fn always(effect: Effect) -> Self {
        Self { method: None, contains: "", effect, times: usize::MAX }
    }

    /// Affects only requests with this method.
    #[must_use]
    pub fn of(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Affects only requests with this text in their path or query.
    #[must_use]
    pub fn containing(self, contains: &'static str) -> Self {
        Self { contains, ..self }
    }

    /// Affects only the first `times` matching requests.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn fits(&self, request: &Recorded) -> bool {
        let is_method = self.method.as_ref().is_none_or(|method| *method == request.method);
        let is_text = request.path.contains(self.contains) || request.query.contains(self.contains);
        self.times > 0 && is_method && is_text
    }
}

/// The effect on `request`, if any; this uses up one of the fault's `times`.
pub(super) fn effect_on(shared: &Shared, request: &Recorded) -> Option<Effect> {
    let mut faults = shared.faults.lock().unwrap();
    let fault = faults.iter_mut().find(|fault| fault.fits(request))?;
    fault.times -= 1;
    Some(fault.effect)
}
