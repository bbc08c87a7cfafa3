//! A vault and a database are restored together, and the backup service ([`service`]) or the vault itself ([`vault`])
//! dies at each durable step. Both have either all old or all new rows, the grant commits once, no stage is left
//! incomplete, the audit log verifies, and an applied restore can be rolled back.

mod places;
mod scene;
mod service;
mod vault;

/// The failpoints tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::of_vault()
}
