//! Sealed columns of an application's database after a rotation: `strongroom source reencrypt` while the application
//! writes, when the backup service dies, and when its client leaves; values that no key opens; and refusals.

mod gateway;
mod interrupted;
mod refused;
mod sealer;
mod spoilt;
mod writer;

/// The failpoints tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    [interrupted::PLACE].into_iter()
}
