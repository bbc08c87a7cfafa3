//! Reads and locks the rows that a change depends on in SQLite: the change has the only writer, so it needs no locks.

use crate::store::{audit, credential, reference, restore, token};

pub(super) const LOCK_HEAD: &str = audit::HEAD;

pub(super) const LOCK_REVISION: &str = credential::REVISION;

pub(super) const LOCK_VIA: &str = reference::VIA_OF;

/// Follows a SELECT of references that a change rewrites.
pub(super) const FOR_CHANGE: &str = "";

pub(super) const LOCK_CREDENTIAL: &str = credential::ONE;

/// Reads the stage for a change.
pub(super) const LOCK_STAGE: &str = restore::STAGE;

/// The columns that a change of the state needs; the stage's ring and report have megabytes.
pub(super) const LOCK_STAGE_HEAD: &str =
    "SELECT id, state, statement, create_time, expire_time FROM restore_stages WHERE id = $1";

/// Locks the tables that a restore rewrites, before it reads them.
pub(super) const LOCK_RESTORED: &str = "SELECT 1";

pub(super) const LOCK_TOKEN: &str = token::SELECT_BY_ID;
