//! Access control: tokens and identities, their roles, and the selections that narrow them.
//!
//! [`Tokens`] issues and revokes tokens and maps a token's text to its principal; [`Identities`] does this for the
//! names in a client certificate. [`Delegations`] tells services which actor their events have; `service_events` lists
//! these events. [`Grants`] lets a service restore the vault once. [`Statements`] seals and opens delegations and
//! grants. `roles` maps a role to permissions, `principals` caches checked tokens for two seconds, and `selection`
//! refuses calls outside a token's selection.

mod delegations;
mod grants;
mod identities;
mod principals;
mod roles;
mod selection;
mod service;
mod service_events;
mod statement;
mod statements;
mod tokens;

pub(crate) use delegations::Delegations;
pub(crate) use grants::{Granted, Grants};
pub(crate) use identities::Identities;
pub(crate) use roles::Role;
pub(crate) use selection::outside_selection;
pub(crate) use service::Service;
pub(crate) use service_events::check_operation;
pub(crate) use statements::Statements;
pub(crate) use tokens::{Listed, NewToken, Tokens, selectors};
