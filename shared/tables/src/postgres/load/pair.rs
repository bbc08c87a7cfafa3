//! A table of the archive beside the live table that its rows go into.

use strongroom_archive::schema::TableSchema;

/// What every statement about a restored table is made of.
pub(super) struct TablePair {
    /// As the archive describes it.
    pub(super) archive: TableSchema,
    /// As the target has it now.
    pub(super) live: TableSchema,
    /// Places of the columns that are loaded, in the archive and in the live table. Generated columns are not among them.
    pub(super) columns: Vec<(usize, usize)>,
    /// Columns of the live table that tell its rows apart: its primary key, or else a unique constraint that is not
    /// deferrable and whose columns take no NULL. Empty when there is neither: rows are then compared as a multiset.
    pub(super) key: Vec<String>,
    /// Our tables, quoted and with our schema: staged rows, removed rows, keys of added rows. They are numbered by the
    /// table's place in the restore, because a name of 63 bytes leaves no room for an id.
    pub(super) stage: String,
    pub(super) undo: String,
    pub(super) added: String,
}
