//! The durable steps of a restore, as places where a test can end the process or run code.

use std::io;

use strongroom_runtime::failpoint;

#[cfg(test)]
thread_local! {
    static HOOK: std::cell::RefCell<Option<Hook>> = const { std::cell::RefCell::new(None) };
}

#[cfg(test)]
type Hook = Box<dyn FnMut(&str) -> io::Result<()>>;

/// Does nothing in a release.
///
/// # Errors
/// The error that a test returns here.
pub(super) fn reached(place: &str) -> io::Result<()> {
    failpoint::reached(place);
    #[cfg(test)]
    {
        // Taken out, because a hook may itself run code that reaches places.
        let taken = HOOK.with_borrow_mut(Option::take);
        if let Some(mut hook) = taken {
            let done = hook(place);
            HOOK.with_borrow_mut(|place| {
                place.get_or_insert(hook);
            });
            return done;
        }
    }
    Ok(())
}

/// Calls `hook` on this thread at each place, until the next call.
#[cfg(test)]
pub(super) fn hook(hook: impl FnMut(&str) -> io::Result<()> + 'static) {
    HOOK.with_borrow_mut(|place| *place = Some(Box::new(hook)));
}

#[cfg(test)]
pub(super) fn unhook() {
    HOOK.with_borrow_mut(Option::take);
}
