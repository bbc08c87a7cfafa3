//! Reads and locks the rows that a change depends on in PostgreSQL: they stay unchanged until the change commits.

use crate::store::token::select_tokens;

pub(super) const LOCK_HEAD: &str =
    "SELECT sequence, time, mac, key_kid FROM audit_head WHERE id = 1 FOR UPDATE";

pub(super) const LOCK_REVISION: &str = "SELECT revision FROM credentials WHERE id = $1 FOR UPDATE";

/// Empty if the reference is bound directly.
pub(super) const LOCK_VIA: &str = "
    SELECT via_kind FROM credential_references WHERE kind = $1 AND consumer = $2 FOR UPDATE";

/// Reads and locks the stage for a change.
pub(super) const LOCK_STAGE: &str = "
    SELECT id, state, terms, statement, ring, tables, report, create_time, expire_time, commit_time, previous_deployment
    FROM restore_stages WHERE id = $1 FOR UPDATE";

/// The columns that a change of the state needs; the stage's ring and report have megabytes.
pub(super) const LOCK_STAGE_HEAD: &str =
    "SELECT id, state, statement, create_time, expire_time FROM restore_stages WHERE id = $1 FOR UPDATE";

/// Locks the tables that a restore rewrites, before it reads them. Readers continue; changes wait, and none of the
/// waiting ones holds the head yet.
pub(super) const LOCK_RESTORED: &str = "
    LOCK TABLE credentials, credential_versions, credential_references, credential_tombstones IN EXCLUSIVE MODE";

pub(super) const LOCK_TOKEN: &str = select_tokens!("WHERE id = $1 FOR UPDATE");

pub(super) const LOCK_CREDENTIAL: &str = "
    SELECT c.id, c.display_name, c.provider, c.secret, c.preview, c.active, c.create_time, c.update_time,
           c.last_used_time, c.expire_time, c.revision, c.labels, c.secret_time, c.deactivate_time, c.row_kid, c.row_mac, c.change_id
    FROM credentials c WHERE c.id = $1 FOR UPDATE";

/// Follows a SELECT of references that a change rewrites.
pub(super) const FOR_CHANGE: &str = " FOR UPDATE OF r";
