//! What goes wrong with an S3 service, and with which requests.

use std::time::Duration;

use http::Method;

use super::{Recorded, Shared};

/// Requests that fail, and how.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Of this method, or of any.
    pub method: Option<Method>,
    /// With this text in their path or query.
    pub contains: &'static str,
    /// What happens to them.
    pub effect: Effect,
    /// How many of them.
    pub times: usize,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// It is refused with this status and S3's code.
    Refuse(u16, &'static str),
    /// It is answered so much later.
    Wait(Duration),
    /// It is never answered.
    Silence,
    /// Its answer ends after so many bytes of the body, in the middle of it.
    Cut(usize),
    /// It is done, and the connection is lost before the answer.
    LoseAnswer,
    /// It is done as if it had no `If-Match`, as some services do.
    IgnoreCondition,
}

impl Fault {
    /// All requests, always.
    #[must_use]
    pub fn always(effect: Effect) -> Self {
        Self { method: None, contains: "", effect, times: usize::MAX }
    }

    /// Only those of a method.
    #[must_use]
    pub fn of(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Only those with this text in their path or query.
    #[must_use]
    pub fn containing(self, contains: &'static str) -> Self {
        Self { contains, ..self }
    }

    /// Only the first of them.
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

/// What happens to `request`; it is one of the times that a fault has.
pub(super) fn effect_on(shared: &Shared, request: &Recorded) -> Option<Effect> {
    let mut faults = shared.faults.lock().unwrap();
    let fault = faults.iter_mut().find(|fault| fault.fits(request))?;
    fault.times -= 1;
    Some(fault.effect)
}
