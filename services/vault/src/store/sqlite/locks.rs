//! Reading what a change goes by in SQLite: the change has the only writer, so nothing needs a lock.

use crate::store::{audit, credential, reference, restore, token};

pub(super) const LOCK_HEAD: &str = audit::HEAD;

pub(super) const LOCK_REVISION: &str = credential::REVISION;

pub(super) const LOCK_VIA: &str = reference::VIA_OF;

/// After a SELECT of references that a change rewrites.
pub(super) const FOR_CHANGE: &str = "";

pub(super) const LOCK_CREDENTIAL: &str = credential::ONE;

/// The stage, to be changed.
pub(super) const LOCK_STAGE: &str = restore::STAGE;

/// What moves a stage on looks at; its ring and its report have megabytes.
pub(super) const LOCK_STAGE_HEAD: &str =
    "SELECT id, state, statement, create_time, expire_time FROM restore_stages WHERE id = $1";

/// What a restore rewrites, before it looks at it.
pub(super) const LOCK_RESTORED: &str = "SELECT 1";

pub(super) const LOCK_TOKEN: &str = token::SELECT_BY_ID;
