//! Puts an archive's rows back into a database while applications use it.
//!
//! Rows are never loaded over live ones. They go into our own tables beside the live ones (the stage); the difference between
//! the two is then applied in one transaction, so every reader sees either the old rows or the new ones. Rows that the
//! difference removed stay in further tables of ours (the undo), from which the restore can be rolled back. Into empty
//! tables, rows are loaded directly, also in one transaction. `postgres/load` and `sqlite/load` explain how each engine does
//! it and why; the measurements behind it are in docs/decisions/restore.md.
//!
//! Order of calls: [`Target::open`], [`Target::inspect`], then [`Target::stage`] with the inspection's result,
//! [`Stage::load`] for each table, and [`Stage::compare`]. A trial stage ends there, or with [`Stage::rehearse`], and leaves
//! nothing behind. Any other stage is sealed ([`Stage::keep`]), so that it survives a crash, and applied ([`Stage::swap`]).
//! An applied restore, or the remains of a crashed one, is found by the restore's id: [`Target::state_of`],
//! [`Target::check_roll_back`], [`Target::roll_back`], [`Target::discard`].

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

    /// Compiles only while a service can spawn these futures.
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
