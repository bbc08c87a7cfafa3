//! Reads a part of a file piece by piece, as fast as the pieces are taken.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, try_unfold};

use super::{Answer, Folder, Problem, object, of};

const PIECE: u64 = 256 << 10;

struct Reading {
    folder: Folder,
    file: File,
    rest: Range<u64>,
    etag: Option<String>,
}

/// An object with the wrong etag is refused before the first piece.
pub(super) async fn pieces(
    folder: Folder,
    file: File,
    rest: Range<u64>,
    etag: Option<String>,
) -> Answer<BoxStream<'static, Answer<Bytes>>> {
    let reading = Reading { folder: folder.clone(), file, rest, etag };
    let reading = folder
        .blocking(move |path| {
            reading.check(path)?;
            Ok(reading)
        })
        .await?;
    Ok(try_unfold(reading, next).boxed())
}

async fn next(mut reading: Reading) -> Answer<Option<(Bytes, Reading)>> {
    if reading.rest.is_empty() {
        return Ok(None);
    }
    let folder = reading.folder.clone();
    folder
        .blocking(move |path| {
            let mut piece =
                vec![0; usize::try_from((reading.rest.end - reading.rest.start).min(PIECE)).unwrap_or(0)];
            let length =
                reading.file.read_at(&mut piece, reading.rest.start).map_err(|error| of(&error, path))?;
            reading.check(path)?;
            piece.truncate(length);
            reading.rest.start += length as u64;
            Ok((length > 0).then(|| (Bytes::from(piece), reading)))
        })
        .await
}

impl Reading {
    fn check(&self, folder: &std::path::Path) -> Answer<()> {
        let Some(etag) = &self.etag else { return Ok(()) };
        let metadata = self.file.metadata().map_err(|error| of(&error, folder))?;
        if object(&metadata).etag == *etag { Ok(()) } else { Err(Problem::ObjectChanged) }
    }
}
