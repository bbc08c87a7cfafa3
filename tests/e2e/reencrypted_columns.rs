//! Sealed columns of an application's database after a rotation: `strongroom source reencrypt`, while the application writes,
//! its process dies and its client leaves; what no key opens; and what is refused.

mod gateway;
mod interrupted;
mod refused;
mod sealer;
mod spoilt;
mod writer;

/// Places in the source that are tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    [interrupted::PLACE].into_iter()
}
