//! Imports of tables: the source that each of them is changing.
//!
//! An import has no row of its own, because it can be neither rolled back nor continued. Its operation records that it
//! is running, and the reservation of its source excludes restores and other imports. Both begin and end in one
//! transaction.

use async_trait::async_trait;
use strongroom_store::Result;

use super::{Begun, OperationRow};

#[async_trait]
pub(crate) trait ImportStore: Send + Sync + 'static {
    /// Adds the operation of an import into `source`, and reserves the source for it: both or neither. Returns
    /// [`Begun::Stale`] only if the source was released at the same moment.
    async fn begin_import(&self, source: &str, operation: &OperationRow) -> Result<Begun>;

    /// The source that the import with this id is changing, until it has ended.
    async fn import_source(&self, id: &str) -> Result<Option<String>>;

    /// Removes an import's operation, and releases its source; false if it was taken over or has ended.
    async fn end_import(&self, operation: &OperationRow) -> Result<bool>;
}

pub(super) const SOURCE: &str = "SELECT source FROM restore_targets WHERE restore_id = $1";
