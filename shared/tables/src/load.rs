//! Putting rows of an archive back into a database while applications use it.
//!
//! Rows are never loaded over live ones. They go into tables of ours beside them (the stage); the difference between the
//! two is then applied in one transaction, so that every reader sees the old rows or the new ones. The rows that the
//! difference removed stay in further tables of ours (the undo), by which the restore can be taken back. Into empty
//! tables rows are loaded directly, in one transaction too. How each engine does it, and why, is written in
//! `postgres/load` and `sqlite/load`; the measurements behind it are in docs/decisions/restore.md.
//!
//! The order of calls: [`Target::open`], [`Target::inspect`], then [`Target::stage`] with what was found, [`Stage::load`] for
//! each table, and [`Stage::compare`]. A trial stage ends there, or with [`Stage::rehearse`], and leaves nothing. Another one is sealed
//! ([`Stage::keep`]), which makes it last through a crash, and applied ([`Stage::swap`]). What was applied, and what a crash
//! left, is found by the restore's id: [`Target::state_of`], [`Target::check_roll_back`], [`Target::roll_back`],
//! [`Target::discard`].

mod chunk;
mod comparison;
mod inspection;
mod mode;
mod refusal;
mod stage;
mod target;
mod wanted;

pub use chunk::{Chunk, Encoder};
pub use comparison::{Change, Comparison, Example, MOST_EXAMPLES, TableChanges};
pub use inspection::{Inspection, Pause};
pub use mode::Mode;
pub use refusal::Refusal;
pub use stage::{Purpose, Stage, SwapLimits, Swapped};
pub use target::{RestoreState, RolledBack, Target, TargetOptions, place_of};
pub use wanted::{Wanted, WantedTable};

pub(crate) use chunk::{CHUNK_BYTES, Encode, Rows};

#[cfg(test)]
mod tests {
    use super::*;

    fn moves<T: Send>(_: T) {}

    /// Compiles only while a service may spawn what it calls.
    fn all_move(mut target: Target, mut stage: Stage, wanted: &Wanted, limits: &SwapLimits) {
        moves(target.inspect(wanted));
        moves(target.state_of(""));
        moves(target.roll_back("", false, limits.lock));
        moves(target.check_roll_back("", false, limits.lock));
        moves(target.discard("", RestoreState::Staged));
        moves(target.stage(wanted, "", &Purpose::Trial));
        let (_, chunks) = tokio::sync::mpsc::channel(1);
        moves(stage.load(0, chunks));
        let (_, pieces) = tokio::sync::mpsc::channel(1);
        moves(stage.load_large_object(0, pieces));
        moves(stage.compare());
        moves(stage.rehearse(limits));
        moves(stage.keep());
        moves(stage.swap(limits));
    }

    #[test]
    fn futures_move_between_threads() {
        let _ = all_move;
    }
}
