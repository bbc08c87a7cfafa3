//! File sets on the writer's thread: files are read where they are compressed, because reading blocks anyway, and one
//! buffer is enough.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write};

use strongroom_archive::ArchiveWriter;
use strongroom_archive::manifest::Skipped;

use super::progress::Reporter;
use crate::error::{Error, Result};
use crate::left_out::FirstFew;
use crate::sources::{FileSet, ListedFile, OpenFile};

/// Bytes per read.
const BLOCK: usize = 128 << 10;
/// The reason why a file is not in the archive.
pub(super) const GONE: &str = "removed after the directory was listed";

/// Writes all files of `set`, each with its listed size. Returns the files that were removed meanwhile: a file removed
/// before the backup would not be in it either.
///
/// # Errors
/// [`Error::FileShrank`], [`Error::FileReplaced`] and [`Error::FileUnreadable`] with the file's name, and the errors of
/// the archive and its receiver.
pub(super) fn write_set<W: Write>(
    archive: &mut ArchiveWriter<W>,
    set: &FileSet,
    reporter: &mut Reporter<'_>,
) -> Result<FirstFew<Skipped>> {
    let mut gone = FirstFew::default();
    let mut block = vec![0; BLOCK];
    reporter.begin_set(set.name())?;
    for file in set.files() {
        reporter.begin_file(set.name(), &file.shown())?;
        let Some(OpenFile { file: mut open, mode, modified_at }) = set.open(file)? else {
            let name = file.shown().into_owned();
            tracing::warn!(source = set.name(), file = name, "a file was removed after the listing");
            gone.add(Skipped { name, reason: GONE.to_owned() });
            continue;
        };
        archive.start_file(set.name(), &file.path, mode, modified_at)?;
        let mut left = file.bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let length = read(&mut open, &mut block[..most]).map_err(|error| set.failed(file, error))?;
            if length == 0 {
                return Err(shrank(set, file, file.bytes - left));
            }
            archive.write(&block[..length])?;
            left -= length as u64;
            reporter.step()?;
        }
        archive.finish_file(has_grown(set, file, &open)?)?;
        reporter.end_file();
    }
    reporter.end_set()?;
    Ok(gone)
}

fn read(file: &mut File, block: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Whether it is longer now than when it was listed.
fn has_grown(set: &FileSet, file: &ListedFile, open: &File) -> Result<bool> {
    let bytes = open.metadata().map_err(|error| set.failed(file, error))?.len();
    if bytes < file.bytes { Err(shrank(set, file, bytes)) } else { Ok(bytes > file.bytes) }
}

fn shrank(set: &FileSet, file: &ListedFile, found: u64) -> Error {
    Error::FileShrank {
        name: set.name().to_owned(),
        path: file.shown().into_owned(),
        listed: file.bytes,
        found,
    }
}
