//! A vault and a database are restored together, and somebody dies at each durable step: the backup service ([`service`]), or the
//! vault itself ([`vault`]). Both are wholly old or wholly new, the grant commits once, no stage is left half-way, the audit log
//! verifies, and what was applied can be taken back.

mod places;
mod scene;
mod service;
mod vault;

/// Places in the source that are tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::of_vault()
}
