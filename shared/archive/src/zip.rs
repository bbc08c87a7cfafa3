//! The ZIP around an archive, according to FORMAT.md §2 and §3: written without seeking, read strictly, and
//! with names that every file system can unpack.
//!
//! Reading: `end_record` finds the central directory, `directory` walks through it, `layout` checks that the
//! entries fill the file, and `policy` applies these three before anything that the `zip` crate reports is
//! used. [`PlainZip`] is a ZIP that passed and has no manifest. Writing: `stream` frames entries that are
//! compressed elsewhere. `header` contains the headers of entries for both sides.

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
