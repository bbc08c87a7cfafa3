//! Reads the rows that a change depends on. PostgreSQL locks these rows until the change commits.

use crate::store::process::select_processes;

pub(super) const LOCK_PROCESS: &str = select_processes!("WHERE id = $1 FOR UPDATE");

/// In a fixed order, so that two processes that take each other over do not deadlock.
pub(super) const LOCK_PROCESSES: &str = select_processes!("WHERE id IN ($1, $2) ORDER BY id FOR UPDATE");

pub(super) const LOCK_UNFENCED: &str =
    "SELECT id FROM operations WHERE id = $1 AND owner = $2 AND fence = $3 FOR UPDATE";
