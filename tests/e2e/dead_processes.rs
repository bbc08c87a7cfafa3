//! Backup services that die or are suspended while they make, store, drill or delete a backup: the next process
//! finishes the operations, and nothing of them is left behind.
//!
//! A debug build kills itself with SIGKILL at the failpoint that `STRONGROOM_FAILPOINT` names.

mod creating;
mod drilling;
mod exporting;
mod pausing;
mod places;
mod purging;
mod replica;
mod replicas;
mod site;
