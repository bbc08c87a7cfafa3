//! Refusals of calls outside a token's selection.

use strongroom_runtime::Caller;

use crate::audit::Event;
use crate::error::Error;
use crate::store::{Outcome, Store};

/// Records the refused call, and returns its error.
///
/// `method` is the refused method, `selector` the part of the selection that does not match; `now` is in microseconds.
pub(crate) async fn outside_selection(
    store: &dyn Store,
    now: i64,
    caller: &Caller,
    method: &'static str,
    selector: String,
) -> Error {
    let event = Event::by(caller, now, "access.denied", method).outcome(Outcome::Denied);
    match store.append_event(&event.with("selector", selector.as_str()).finish()).await {
        Ok(_) => Error::OutsideSelection { method, selector },
        Err(error) => error.into(),
    }
}
