//! Backup services that die or are suspended while they make, store, drill or delete a backup: whichever process is there next ends
//! what they began, and nothing of it is left.
//!
//! A debug build ends itself with SIGKILL at the place that `STRONGROOM_FAILPOINT` names.

mod creating;
mod drilling;
mod exporting;
mod pausing;
mod places;
mod purging;
mod replica;
mod replicas;
mod site;
