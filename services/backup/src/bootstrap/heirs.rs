//! The end of operations that a dead process left: each kind has its own heir.

use async_trait::async_trait;

use crate::membership::Heir;
use crate::store::{OperationRow, ProcessRow};
use crate::{backups, drills, moving, restore};

/// Ends the operations that a dead process left, by kind.
pub(super) struct Heirs {
    pub(super) backups: backups::Inheritance,
    pub(super) restores: restore::Inheritance,
    pub(super) imports: moving::Inheritance,
    pub(super) drills: drills::Inheritance,
}

#[async_trait]
impl Heir for Heirs {
    async fn inherit(&self, dead: &ProcessRow, operations: Vec<OperationRow>) -> bool {
        let (of_restores, others): (Vec<_>, Vec<_>) =
            operations.into_iter().partition(restore::Inheritance::is_restore);
        let (of_imports, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(moving::Inheritance::is_import);
        let (of_drills, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(drills::Inheritance::is_drill);
        // All are called before their results are combined, so none holds up another: a restore may wait days for a
        // source.
        let restores = self.restores.inherit(dead, &of_restores).await;
        let imports = self.imports.inherit(dead, &of_imports).await;
        let drills = self.drills.inherit(dead, &of_drills).await;
        let backups = self.backups.inherit(dead, &others).await;
        // Finally, close everything that the process left open in the audit log, including operations that were
        // settled.
        restores && imports && drills && backups && self.backups.close(dead).await
    }
}
