//! Numbers of rows of each table that are added, deleted and kept.

use crate::load::TableChanges;
use crate::postgres::load::difference::Difference;
use crate::postgres::load::references::Reference;
use crate::postgres::load::violations::Scope;
use crate::postgres::types::Oid;

/// Rows of one table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) staged: u64,
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) removed: u64,
    pub(super) conflicts: u64,
    pub(super) kept: u64,
}

impl Counts {
    /// Whether any row is added or deleted.
    pub(super) fn is_changed(&self) -> bool {
        self.created + self.removed > 0
    }

    /// Number of added rows, new or replacing others.
    pub(super) fn added(&self) -> u64 {
        self.created + self.changed
    }

    pub(super) fn changes(&self) -> TableChanges {
        TableChanges {
            created: self.created,
            changed: self.changed,
            deleted: self.removed.saturating_sub(self.changed),
            kept: self.kept,
            conflicts: self.conflicts,
            examples: Vec::new(),
        }
    }
}

/// The counts of a restored table.
pub(super) fn of<'c>(
    root: Option<Oid>,
    differences: &[Difference<'_>],
    counts: &'c [Counts],
) -> Option<&'c Counts> {
    let at = differences.iter().position(|one| Some(one.pair.oid) == root)?;
    counts.get(at)
}

/// Whether rows are added at its referencing end, or deleted at the referenced end.
pub(super) fn is_touched(key: &Reference, differences: &[Difference<'_>], counts: &[Counts]) -> bool {
    let from = of(key.from.root, differences, counts);
    let to = of(key.to.root, differences, counts);
    from.is_some_and(|counts| counts.added() > 0) || to.is_some_and(|counts| counts.removed > 0)
}

/// Kept rows can only dangle if a row that they reference is deleted for good. Rows that are only replaced keep their key.
pub(super) fn scope(key: &Reference, differences: &[Difference<'_>], counts: &[Counts]) -> Scope {
    let to = differences.iter().find(|one| Some(one.pair.oid) == key.to.root);
    let gone = |counts: &Counts| match to {
        Some(one) if one.pair.key == key.referenced => counts.removed.saturating_sub(counts.changed),
        _ => counts.removed,
    };
    if of(key.to.root, differences, counts).map_or(0, gone) > 0 {
        return Scope::All;
    }
    let comes = of(key.from.root, differences, counts).is_some_and(|counts| counts.added() > 0);
    if comes { Scope::Added } else { Scope::Nothing }
}
