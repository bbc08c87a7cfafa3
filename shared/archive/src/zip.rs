//! The ZIP around an archive, by FORMAT.md §2 and §3: written without seeking, read strictly, and named so that
//! every file system can unpack it.
//!
//! Reading: `end_record` finds the central directory, `directory` walks it, `layout` checks that the entries fill
//! the file, and `policy` puts the three before anything that the `zip` crate says. [`PlainZip`] is a ZIP that
//! passed and has no manifest. Writing: `stream` frames entries that are compressed elsewhere. `header` is what
//! both sides say of an entry.

mod directory;
mod end_record;
mod entry_name;
mod file_names;
mod file_paths;
mod header;
mod layout;
mod plain;
mod policy;
mod stream;

pub(crate) use entry_name::{check_name, fold_case};
pub use file_names::EntryNames;
pub(crate) use file_paths::FilePaths;
pub(crate) use header::{Entry, Form, end_records};
pub use plain::{PlainEntry, PlainZip};
pub(crate) use policy::{CheckedZip, open_zip};
pub(crate) use stream::ZipStream;
