//! Imports of tables: which source each of them changes now.
//!
//! An import has no row of its own, because nothing of it can be taken back or gone on with. Its operation says that it runs,
//! and the reservation of its source keeps restores and other imports away. Both begin and end in one transaction.

use async_trait::async_trait;
use strongroom_store::Result;

use super::{Begun, OperationRow};

#[async_trait]
pub(crate) trait ImportStore: Send + Sync + 'static {
    /// Adds the operation of an import into `source`, and reserves the source for it. All of it or nothing; never
    /// [`Begun::Stale`] unless the source was released at this moment.
    async fn begin_import(&self, source: &str, operation: &OperationRow) -> Result<Begun>;

    /// The source that the import with this id changes, until it has ended.
    async fn import_source(&self, id: &str) -> Result<Option<String>>;

    /// Removes an import's operation, and releases its source; false if it was taken over or has ended.
    async fn end_import(&self, operation: &OperationRow) -> Result<bool>;
}

pub(super) const SOURCE: &str = "SELECT source FROM restore_targets WHERE restore_id = $1";
