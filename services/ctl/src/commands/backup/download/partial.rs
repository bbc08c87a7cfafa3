//! `FILE.partial`, and `FILE.partial.state` beside it. Both remain after any interruption of the download: the length
//! of the first is the progress, and the second identifies the backup.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use super::object::Object;
use super::transfer::Begun;
use crate::files::sync_folder_of;
use crate::out_file::open_locked;

/// Bytes of an existing partial file that are read at a time.
const PIECE: usize = 1 << 20;

/// The names of a download's files.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) file: PathBuf,
    pub(super) partial: PathBuf,
    pub(super) state: PathBuf,
}

impl Names {
    pub(super) fn of(file: PathBuf) -> Self {
        let beside = |suffix: &str| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let (partial, state) = (beside(".partial"), beside(".partial.state"));
        Self { file, partial, state }
    }

    /// Whether there are bytes that a download could continue, or would destroy.
    fn has_content(&self) -> bool {
        self.partial.metadata().is_ok_and(|known| known.len() > 0)
    }

    /// # Errors
    /// When `FILE.partial` is part of another backup.
    pub(super) fn refuse_of_another(&self, id: &str) -> Result<()> {
        // An unreadable state is useless.
        let known = Object::read(&self.state).ok().flatten().filter(|_| self.has_content());
        let Some(other) = known.filter(|known| known.id != id) else { return Ok(()) };
        bail!(
            "{} is a part of the backup {}: finish that download with --resume, or replace it with --force",
            self.partial.display(),
            other.id
        )
    }

    /// The download to continue, for [`reopen`]; `None` if it starts from the beginning.
    ///
    /// # Errors
    /// When there are bytes that this download cannot continue.
    pub(super) fn resumable(&self, destination: Option<&str>) -> Result<Option<Object>> {
        if !self.has_content() {
            return Ok(None);
        }
        let partial = self.partial.display();
        let object = Object::read(&self.state)?.with_context(|| {
            let state = self.state.display();
            format!("{partial} has no {state} beside it, which names its backup; without --resume the download starts again")
        })?;
        let from = &object.destination;
        ensure!(
            destination.is_none_or(|wanted| wanted == from),
            "{partial} comes from the destination {from}: continue from there, or start again without --resume"
        );
        Ok(Some(object))
    }
}

/// `FILE.partial`, while it is written.
#[derive(Debug)]
pub(super) struct Partial {
    file: File,
    names: Names,
}

impl Partial {
    /// An empty partial file, whatever was there before.
    pub(super) fn create(names: Names, object: &Object) -> Result<Self> {
        let failed = || format!("cannot create {}", names.partial.display());
        let file = open_locked(&names.partial).with_context(failed)?;
        // This order prevents a state beside bytes that are not its own.
        match std::fs::remove_file(&names.state) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(failed),
            _ => {}
        }
        file.set_len(0).with_context(failed)?;
        object.write(&names.state)?;
        Ok(Self { file, names })
    }

    /// Renames it to `FILE`, durably.
    pub(super) fn finish(self) -> Result<String> {
        let Names { file, partial, state } = &self.names;
        let failed = || format!("cannot complete {}", file.display());
        self.file.sync_all().with_context(failed)?;
        std::fs::rename(partial, file).with_context(failed)?;
        sync_folder_of(file)?;
        // The download is complete: a remaining state without a partial file is harmless.
        let _ = std::fs::remove_file(state);
        Ok(file.display().to_string())
    }
}

/// Opens the remainder of an earlier download of `object`, and reads all of it for its digest. `read` gets the
/// progress.
///
/// # Errors
/// Also when it is longer than the backup.
pub(super) async fn reopen(names: Names, object: Object, read: impl Fn(u64)) -> Result<Begun<Partial>> {
    let failed = || format!("cannot continue {}", names.partial.display());
    let mut file = open_locked(&names.partial).with_context(failed)?;
    file.seek(SeekFrom::Start(0)).with_context(failed)?;
    let (mut digest, mut received, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let length = file.read(&mut piece).with_context(failed)?;
        if length == 0 {
            break;
        }
        digest.update(&piece[..length]);
        received += length as u64;
        ensure!(
            received <= object.size,
            "{} is longer than the backup; without --resume the download starts again",
            names.partial.display()
        );
        read(received);
        // Lets a signal be noticed between two pieces.
        tokio::task::yield_now().await;
    }
    Ok(Begun { object, sink: Partial { file, names }, received, digest })
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
