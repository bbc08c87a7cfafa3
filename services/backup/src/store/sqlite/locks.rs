//! Reads the rows that a change depends on in SQLite: the change has the only writer, so nothing needs a lock.

use crate::store::operation;
use crate::store::process::select_processes;

pub(super) const LOCK_PROCESS: &str = select_processes!("WHERE id = $1");

pub(super) const LOCK_PROCESSES: &str = select_processes!("WHERE id IN ($1, $2) ORDER BY id");

pub(super) const LOCK_UNFENCED: &str = operation::UNFENCED;
