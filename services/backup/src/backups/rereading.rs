//! Reads a stored backup back, to verify or restore it: its object is received like an upload.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use strongroom_api::backup::v1::{LevelVerdict, VerifyBackupResponse};
use strongroom_runtime::Caller;

use super::catalogue::{Catalogue, readable_copy};
use super::destinations::Destinations;
use super::record::{Content, Level, Verified, from_json, to_json};
use crate::error::{Error, Result};
use crate::incoming::{MAX_CHUNK, Part, Parts};
use crate::operation::Replies;
use crate::verification::{Subject, Verifications};

/// Reads stored backups.
pub(crate) struct Rereading {
    pub(crate) catalogue: Catalogue,
    pub(crate) destinations: Arc<Destinations>,
}

impl Rereading {
    /// Begins the verification of the copy in `destination`, or of the first that is stored.
    ///
    /// # Errors
    /// Those of [`Self::read`] and of [`Verifications::begin`].
    pub(crate) async fn begin(
        &self,
        verifications: &Verifications,
        caller: &Caller,
        id: &str,
        destination: &str,
    ) -> Result<Replies<VerifyBackupResponse>> {
        let (stored, parts) = self.read(id, destination).await?;
        verifications.begin_stored(caller, parts, Arc::new(stored)).await
    }

    /// The copy in `destination`, or the first that is stored, as the messages of an upload.
    ///
    /// # Errors
    /// [`Error::BackupNotFound`], [`Error::BackupState`], [`Error::CopyMissing`], and the destination's errors.
    pub(crate) async fn read(&self, id: &str, destination: &str) -> Result<(StoredCopy, Parts)> {
        let backup = self.catalogue.get(id).await?;
        let copy = readable_copy(&backup, destination)?;
        let content: Content = from_json(&backup.row.content);
        let place = self.destinations.get(&copy.destination)?;
        let mut size = content.size_bytes.unsigned_abs();
        let stored = StoredCopy {
            catalogue: self.catalogue.clone(),
            id: id.to_owned(),
            destination: copy.destination.clone(),
            sha256: content.sha256,
        };
        let pieces = match place.head(&copy.key).await? {
            Some(object) if object.size > 0 => {
                size = object.size;
                place.read(&copy.key, 0..size, Some(&object.etag)).await?.map_err(Error::from).boxed()
            }
            // The verification reports it, as for a file that ends early.
            Some(_) => stream::iter([Err(stored.damaged("it is empty"))]).boxed(),
            None => stream::iter([Err(stored.damaged("it no longer exists"))]).boxed(),
        };
        let header = Part::Header {
            file_name: backup.row.file_name.clone(),
            size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
        };
        let parts = stream::iter([Ok(header)])
            .chain(numbered(pieces))
            .chain(stream::iter([Ok(Part::End { sha256: None })]));
        Ok((stored, Box::pin(parts)))
    }
}

/// The copy being read.
pub(crate) struct StoredCopy {
    catalogue: Catalogue,
    id: String,
    destination: String,
    sha256: String,
}

impl StoredCopy {
    /// The error for a copy that differs from the stored one.
    pub(crate) fn damaged(&self, problem: &str) -> Error {
        Error::BackupDamaged {
            id: self.id.clone(),
            destination: self.destination.clone(),
            problem: problem.to_owned(),
        }
    }
}

#[async_trait]
impl Subject for StoredCopy {
    fn sha256(&self) -> &str {
        &self.sha256
    }

    async fn keep(&self, ok: bool, levels: &[LevelVerdict]) -> Result<()> {
        let level = |level: &LevelVerdict| Level {
            level: level.level,
            outcome: level.outcome,
            problem: level.problem.clone(),
        };
        let levels = levels.iter().map(level).collect();
        let verified = Verified { ok, destination: self.destination.clone(), levels };
        self.catalogue.verified(&self.id, &to_json(&verified)).await?;
        Ok(())
    }
}

/// Numbers the pieces of an object as those of an upload.
fn numbered(
    pieces: impl stream::Stream<Item = Result<Bytes>> + Send + 'static,
) -> impl stream::Stream<Item = Result<Part>> + Send {
    let small = pieces.flat_map(|piece| {
        let parts: Vec<Result<Bytes>> = match piece {
            Ok(mut piece) => {
                let mut parts = Vec::new();
                while !piece.is_empty() {
                    parts.push(Ok(piece.split_to(piece.len().min(MAX_CHUNK))));
                }
                parts
            }
            Err(error) => vec![Err(error)],
        };
        stream::iter(parts)
    });
    let mut next = (0, 0);
    small.map(move |data| {
        let data = data?;
        let (number, offset) = next;
        next = (number + 1, offset + data.len() as i64);
        Ok(Part::Chunk { number, offset, data })
    })
}
