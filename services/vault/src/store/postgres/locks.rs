//! Reading what a change goes by in PostgreSQL: it stays as it was read until the change commits.

use crate::store::token::select_tokens;

pub(super) const LOCK_HEAD: &str =
    "SELECT sequence, time, mac, key_kid FROM audit_head WHERE id = 1 FOR UPDATE";

pub(super) const LOCK_REVISION: &str = "SELECT revision FROM credentials WHERE id = $1 FOR UPDATE";

/// Empty when the reference is bound directly.
pub(super) const LOCK_VIA: &str = "
    SELECT via_kind FROM credential_references WHERE kind = $1 AND consumer = $2 FOR UPDATE";

/// The stage, to be changed.
pub(super) const LOCK_STAGE: &str = "
    SELECT id, state, terms, statement, ring, tables, report, create_time, expire_time, commit_time, previous_deployment
    FROM restore_stages WHERE id = $1 FOR UPDATE";

/// What moves a stage on looks at; its ring and its report have megabytes.
pub(super) const LOCK_STAGE_HEAD: &str =
    "SELECT id, state, statement, create_time, expire_time FROM restore_stages WHERE id = $1 FOR UPDATE";

/// What a restore rewrites, before it looks at it. Readers go on; changes wait, none of which holds the head yet.
pub(super) const LOCK_RESTORED: &str = "
    LOCK TABLE credentials, credential_versions, credential_references, credential_tombstones IN EXCLUSIVE MODE";

pub(super) const LOCK_TOKEN: &str = select_tokens!("WHERE id = $1 FOR UPDATE");

pub(super) const LOCK_CREDENTIAL: &str = "
    SELECT c.id, c.display_name, c.provider, c.secret, c.preview, c.active, c.create_time, c.update_time,
           c.last_used_time, c.expire_time, c.revision, c.labels, c.secret_time, c.deactivate_time, c.row_kid, c.row_mac, c.change_id
    FROM credentials c WHERE c.id = $1 FOR UPDATE";

/// After a SELECT of references that a change rewrites.
pub(super) const FOR_CHANGE: &str = " FOR UPDATE OF r";
