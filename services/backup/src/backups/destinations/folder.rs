//! A folder: an upload is a hidden file beside its object until it is complete.
//!
//! The folder itself is never created. Otherwise, if a disk is not mounted, backups would fill the disk below its mount
//! point, and would disappear at the next mount.

mod problem;
mod reading;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use rustix::fs::{Access, OFlags};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::place::Place;
use super::{Answer, Object, Part, PartId, Problem};
use problem::{of, of_deletion};
use strongroom_runtime::failpoint;

const FILE_MODE: u32 = 0o600;
/// Number of keys that a listing reads ahead of its reader.
const KEYS_AHEAD: usize = 64;

/// A folder of this machine, or one that is mounted on it.
#[derive(Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file of an unfinished upload. Its id may come from a damaged catalogue.
    fn partial(&self, key: &str, id: &str) -> Answer<PathBuf> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Problem::UploadMissing);
        }
        Ok(self.0.join(format!(".{key}.{id}.partial")))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let folder = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.unwrap_or_else(|error| Err(Problem::Failed(format!("a thread died: {error}"))))
    }
}

#[async_trait]
impl Place for Folder {
    fn kind(&self) -> &'static str {
        "folder"
    }

    async fn begin(&self, key: &str) -> Answer<String> {
        let id = random_id()?;
        let path = self.partial(key, &id)?;
        self.blocking(move |folder| create(&path).map(drop).map_err(|error| of(&error, folder))).await?;
        Ok(id)
    }

    async fn put_part(&self, key: &str, id: &str, _: usize, offset: u64, part: Part) -> Answer<PartId> {
        let path = self.partial(key, id)?;
        self.blocking(move |folder| {
            let file = open_upload(&path, folder)?;
            let mut at = offset;
            for piece in &part {
                file.write_all_at(piece, at).map_err(|error| of(&error, folder))?;
                at += piece.len() as u64;
            }
            Ok(PartId(String::new()))
        })
        .await
    }

    async fn complete(&self, key: &str, id: &str, _: &[PartId], size: u64) -> Answer<()> {
        let (partial, path) = (self.partial(key, id)?, self.0.join(key));
        self.blocking(move |folder| {
            let file = open_upload(&partial, folder)?;
            let found = file.metadata().map_err(|error| of(&error, folder))?.len();
            if found != size {
                return Err(Problem::Short { expected: size, found });
            }
            publish(&file, &partial, &path, folder).map_err(|error| of(&error, folder))
        })
        .await
    }

    async fn abort(&self, key: &str, id: &str) -> Answer<()> {
        let path = self.partial(key, id)?;
        self.blocking(move |folder| remove(&path, folder)).await
    }

    async fn put_small(&self, key: &str, bytes: Bytes) -> Answer<()> {
        let (partial, path) = (self.partial(key, &random_id()?)?, self.0.join(key));
        self.blocking(move |folder| {
            let written = create(&partial).and_then(|mut file| {
                file.write_all(&bytes)?;
                failpoint::reached("folder.small_written");
                publish(&file, &partial, &path, folder)
            });
            written.map_err(|error| {
                // Return the first error.
                let _ = fs::remove_file(&partial);
                of(&error, folder)
            })
        })
        .await
    }

    async fn head(&self, key: &str) -> Answer<Object> {
        let path = self.0.join(key);
        self.blocking(move |folder| {
            let metadata =
                open(&path).and_then(|file| file.metadata()).map_err(|error| of(&error, folder))?;
            Ok(object(&metadata))
        })
        .await
    }

    async fn read(
        &self,
        key: &str,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Answer<BoxStream<'static, Answer<Bytes>>> {
        let (path, etag) = (self.0.join(key), etag.map(str::to_owned));
        let file = self.blocking(move |folder| open(&path).map_err(|error| of(&error, folder))).await?;
        reading::pieces(self.clone(), file, range, etag).await
    }

    /// Also removes partial files of processes that died while writing them: perhaps nobody knows the ids of their
    /// uploads.
    async fn delete(&self, key: &str) -> Answer<()> {
        let (path, key) = (self.0.join(key), key.to_owned());
        self.blocking(move |folder| {
            for partial in partials(folder, &key).map_err(|error| of(&error, folder))? {
                remove(&partial, folder)?;
            }
            remove(&path, folder)
        })
        .await
    }

    /// Lists all files except unfinished uploads.
    fn keys(&self) -> BoxStream<'static, Answer<String>> {
        let (sender, keys) = mpsc::channel(KEYS_AHEAD);
        let folder = self.0.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = list(&folder, &sender) {
                let _ = sender.blocking_send(Err(of(&error, &folder)));
            }
        });
        ReceiverStream::new(keys).boxed()
    }

    async fn check(&self) -> Answer<()> {
        let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        self.blocking(move |folder| {
            rustix::fs::access(folder, access).map_err(|error| of(&error.into(), folder))?;
            if folder.is_dir() { Ok(()) } else { Err(Problem::Missing("folder")) }
        })
        .await
    }
}

fn random_id() -> Answer<String> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Problem::Failed(format!("no randomness: {error}")))?;
    Ok(hex::encode(id))
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Links are not followed: a planted one must not lead elsewhere.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(flags()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is not a file"))
}

fn open_upload(path: &Path, folder: &Path) -> Answer<File> {
    let opened = OpenOptions::new().write(true).custom_flags(flags()).open(path);
    opened.map_err(|error| match of(&error, folder) {
        Problem::ObjectMissing => Problem::UploadMissing,
        other => other,
    })
}

/// The content is on disk before it has its name, and the name is on disk before success is reported.
fn publish(file: &File, partial: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(partial, path)?;
    File::open(folder)?.sync_all()
}

fn remove(path: &Path, folder: &Path) -> Answer<()> {
    match fs::remove_file(path) {
        Ok(()) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| of(&error, folder)),
        Err(error) => match of_deletion(&error, folder) {
            Problem::ObjectMissing => Ok(()),
            other => Err(other),
        },
    }
}

/// The files of all unfinished uploads of an object.
fn partials(folder: &Path, key: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_prefix(key));
        let id = id.and_then(|id| id.strip_prefix('.')?.strip_suffix(".partial"));
        if id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn object(metadata: &fs::Metadata) -> Object {
    let (size, inode) = (metadata.len(), metadata.ino());
    let etag = format!("{inode:x}-{:x}-{:x}-{size:x}", metadata.mtime(), metadata.mtime_nsec());
    Object { etag, size }
}

fn list(folder: &Path, sender: &mpsc::Sender<Answer<String>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let listed = !name.starts_with('.') && entry.file_type()?.is_file();
        if listed && sender.blocking_send(Ok(name)).is_err() {
            break;
        }
    }
    Ok(())
}
