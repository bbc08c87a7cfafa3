//! Reads the rows that a change depends on. In SQLite the change has the only connection that writes, so these rows
//! need no lock.

use crate::store::operation;
use crate::store::process::select_processes;

pub(super) const LOCK_PROCESS: &str = select_processes!("WHERE id = $1");

pub(super) const LOCK_PROCESSES: &str = select_processes!("WHERE id IN ($1, $2) ORDER BY id");

pub(super) const LOCK_UNFENCED: &str = operation::UNFENCED;
