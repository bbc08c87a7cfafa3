//! Identifies the bytes being downloaded, and the stored file that they belong to. It is stored beside the partial
//! file, so that a later process continues with the same bytes or not at all.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use strongroom_api::backup::v1::download_backup_response::Header;

use crate::files::replace_private;

/// A state file has a few hundred bytes.
const LONGEST: u64 = 64 << 10;

/// A stored file, as the header of its download describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    /// The backup's id.
    pub(super) id: String,
    /// ETag of the stored file in `destination`; it means nothing in another destination.
    pub(super) etag: String,
    pub(super) destination: String,
    /// Size of the whole file, in bytes.
    pub(super) size: u64,
    /// Digest of the whole file, hex.
    pub(super) sha256: String,
}

impl Object {
    /// # Errors
    /// When the header does not describe a download of the backup `id`.
    pub(super) fn of(header: Header, id: &str) -> Result<Self> {
        ensure!(header.id == id, "the server sent the backup {:?} instead of {id}", header.id);
        let size = u64::try_from(header.size_bytes).context("the server's header gives no size")?;
        let is_digest =
            header.sha256.len() == 64 && header.sha256.bytes().all(|digit| digit.is_ascii_hexdigit());
        ensure!(is_digest, "the server's header gives no SHA-256");
        ensure!(!header.etag.is_empty(), "the server's header gives no etag");
        let Header { id, etag, destination, sha256, .. } = header;
        Ok(Self { id, etag, destination, size, sha256: sha256.to_ascii_lowercase() })
    }

    /// `None` if there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let unreadable =
            || format!("cannot read {}; without --resume the download starts again", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(unreadable),
        };
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).with_context(unreadable)?;
        serde_json::from_str(&text).map(Some).with_context(unreadable)
    }

    /// Replaces the file in one step, durably.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        replace_private(path, &serde_json::to_string(self)?)
    }
}
