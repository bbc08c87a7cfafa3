//! Destinations of backups: folders and buckets with the same few operations.
//!
//! An object is written in parts and becomes visible as a whole, or not at all. Nothing here depends on an object's
//! content. `folder` and `bucket` do the work; [`Destination`] adds what both need: a check of the key, retries, the
//! check of the final size, and the names that an error needs.

mod bucket;
pub(crate) mod error;
mod folder;
mod key;
pub(crate) mod parts;
mod place;
mod reading;
mod retry;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

pub(crate) use error::{Problem, StorageError};
pub(crate) use object_store::PutPayload as Part;

use crate::config::{DestinationConfig, DestinationUrl};
use crate::error::{Error, Result};
use bucket::Bucket;
use folder::Folder;
use place::Place;
use reading::Reading;
use retry::Retry;

type Answer<T> = std::result::Result<T, Problem>;
type Stored<T> = std::result::Result<T, StorageError>;

/// How long a destination may be unavailable. A request to a silent server fails after a minute: half a minute of
/// silence, and another half for a retry.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Time after the first failure of a request during which it is retried.
    retries: Duration,
    /// How long a server may neither send nor receive anything.
    silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { retries: Duration::from_secs(30), silence: Duration::from_secs(30) }
    }
}

/// All destinations, in the order of the configuration.
pub(crate) struct Destinations(Vec<Arc<Destination>>);

impl Destinations {
    /// Prepares each destination of a checked configuration, without connecting to it.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL, credentials or an environment that cannot be used,
    /// [`Error::Runtime`] for unreadable files.
    pub(crate) fn create(configs: &[DestinationConfig]) -> Result<Self> {
        let create = |config| Ok(Arc::new(Destination::create(config, Patience::default())?));
        configs.iter().map(create).collect::<Result<_>>().map(Self)
    }

    /// The destination of that name.
    ///
    /// # Errors
    /// [`Error::DestinationUnknown`].
    pub(crate) fn get(&self, name: &str) -> Result<&Arc<Destination>> {
        let found = self.0.iter().find(|destination| destination.name == name);
        found.ok_or_else(|| Error::DestinationUnknown(name.to_owned()))
    }

    /// The destinations with these names, in the order of the configuration; all if `names` is empty.
    ///
    /// # Errors
    /// [`Error::NoDestination`], [`Error::Field`].
    pub(crate) fn choose(&self, names: &[String]) -> Result<Vec<Arc<Destination>>> {
        if self.0.is_empty() {
            return Err(Error::NoDestination);
        }
        for (at, name) in names.iter().enumerate() {
            if self.get(name).is_err() {
                let known: Vec<_> = self.0.iter().map(|destination| destination.name.as_str()).collect();
                let problem = format!("there is no destination {name:?}; there are: {}", known.join(", "));
                return Err(Error::element("destinations", at, problem));
            }
        }
        let wanted = |to: &&Arc<Destination>| names.is_empty() || names.contains(&to.name);
        Ok(self.0.iter().filter(wanted).cloned().collect())
    }

    pub(crate) fn all(&self) -> &[Arc<Destination>] {
        &self.0
    }
}

/// The current state of a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// Changes whenever the object does.
    pub(crate) etag: String,
    /// In bytes.
    pub(crate) size: u64,
}

/// Identifies an uploaded part in [`Destination::complete`].
#[derive(Debug, Clone)]
pub(crate) struct PartId(String);

/// One folder or bucket.
pub(crate) struct Destination {
    /// The configured name, used in messages and in the catalogue.
    pub(crate) name: String,
    place: Arc<dyn Place>,
    retries: Duration,
}

impl Destination {
    fn create(config: &DestinationConfig, patience: Patience) -> Result<Self> {
        let place: Arc<dyn Place> =
            match DestinationUrl::parse(&config.url).map_err(|problem| config.refused(&problem))? {
                DestinationUrl::Folder(path) => Arc::new(Folder::at(path)),
                DestinationUrl::Bucket { bucket, prefix } => {
                    Arc::new(Bucket::create(config, bucket, prefix, patience.silence)?)
                }
            };
        Ok(Self { name: config.name.clone(), place, retries: patience.retries })
    }

    /// Its kind: `folder` or `bucket`.
    pub(crate) fn kind(&self) -> &'static str {
        self.place.kind()
    }

    /// Begins an upload. Record the returned id before the first part, so that the upload can be aborted after a crash.
    ///
    /// # Errors
    /// [`StorageError`], as for all operations.
    pub(crate) async fn begin(&self, key: &str) -> Stored<String> {
        self.tried(key, || self.place.begin(key)).await
    }

    /// Writes part `number`, counted from 0, which begins at the object's byte `offset`. Sending a part again replaces
    /// it. Several parts may be sent concurrently.
    pub(crate) async fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: usize,
        offset: u64,
        part: Part,
    ) -> Stored<PartId> {
        self.tried(key, || self.place.put_part(key, upload_id, number, offset, part.clone())).await
    }

    /// Makes the object visible: all of `parts` in order, `size` bytes in total. It may be repeated.
    ///
    /// # Errors
    /// [`Problem::Short`] if the object has another size; it is then not visible in a folder, and deleted from a
    /// bucket.
    pub(crate) async fn complete(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[PartId],
        size: u64,
    ) -> Stored<Object> {
        let completed = self.tried(key, || self.place.complete(key, upload_id, parts, size));
        let is_ours = match completed.await {
            Ok(()) => true,
            // The answer to an earlier attempt may have been lost: then an object of the right size exists.
            Err(StorageError { problem: Problem::UploadMissing, .. }) => false,
            Err(error) => return Err(error),
        };
        let object = self.head(key).await?;
        let object = object.ok_or_else(|| self.error(key, Problem::UploadMissing))?;
        if object.size == size {
            return Ok(object);
        }
        if is_ours {
            self.delete(key).await?;
        }
        Err(self.error(key, Problem::Short { expected: size, found: object.size }))
    }

    /// Removes an unfinished upload and its parts. A missing upload is not an error.
    pub(crate) async fn abort(&self, key: &str, upload_id: &str) -> Stored<()> {
        let aborted = self.tried(key, || self.place.abort(key, upload_id));
        match aborted.await {
            Err(StorageError { problem: Problem::UploadMissing, .. }) => Ok(()),
            other => other,
        }
    }

    /// Writes a small object at once, replacing an existing one with the key.
    pub(crate) async fn put_small(&self, key: &str, bytes: Bytes) -> Stored<()> {
        self.tried(key, || self.place.put_small(key, bytes.clone())).await
    }

    /// A whole object of at most `limit` bytes; `None` if the key has no object.
    ///
    /// # Errors
    /// [`Problem::TooLarge`] for a longer one, of which at most `limit` bytes are read.
    pub(crate) async fn read_small(&self, key: &str, limit: usize) -> Stored<Option<Bytes>> {
        let Some(object) = self.head(key).await? else { return Ok(None) };
        if object.size > limit as u64 {
            return Err(self.error(key, Problem::TooLarge { limit }));
        }
        let pieces = match self.read(key, 0..object.size, Some(&object.etag)).await {
            Ok(pieces) => pieces,
            Err(StorageError { problem: Problem::ObjectMissing, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let whole = BytesMut::with_capacity(usize::try_from(object.size).unwrap_or(limit));
        let whole = pieces.try_fold(whole, |mut whole, piece| async move {
            whole.extend_from_slice(&piece);
            Ok(whole)
        });
        Ok(Some(whole.await?.freeze()))
    }

    /// The object's size and state; `None` if the key has no object.
    pub(crate) async fn head(&self, key: &str) -> Stored<Option<Object>> {
        let found = self.tried(key, || self.place.head(key));
        match found.await {
            Ok(object) => Ok(Some(object)),
            Err(StorageError { problem: Problem::ObjectMissing, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes `range` of an object, in pieces of at most 1 MiB, which are read as they are taken. With an `etag`,
    /// the object must not change at any time.
    ///
    /// # Errors
    /// Also as the stream's last element: [`Problem::ObjectChanged`], and [`Problem::Short`] if the object ends before
    /// the range.
    pub(crate) async fn read(
        &self,
        key: &str,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Stored<impl Stream<Item = Stored<Bytes>> + Send + Unpin + use<>> {
        let pieces = self.tried(key, || self.place.read(key, range.clone(), etag)).await?;
        let reading = Reading {
            place: Arc::clone(&self.place),
            key: key.to_owned(),
            rest: range,
            etag: etag.map(str::to_owned),
            retries: self.retries,
        };
        let (destination, key) = (self.name.clone(), key.to_owned());
        let pieces = reading.continued(pieces);
        Ok(pieces.map_err(move |problem| StorageError::new(&destination, Some(&key), problem)))
    }

    /// Deletes an object. A missing object is not an error.
    ///
    /// # Errors
    /// [`Problem::DeleteRefused`] if it is protected.
    pub(crate) async fn delete(&self, key: &str) -> Stored<()> {
        self.tried(key, || self.place.delete(key)).await
    }

    /// The keys of all sidecars, unordered, with at most one page of a listing in memory.
    pub(crate) fn sidecars(&self) -> impl Stream<Item = Stored<String>> + Send + Unpin {
        self.place
            .keys()
            .map_err(|problem| StorageError::new(&self.name, None, problem))
            .try_filter(|key| std::future::ready(key.ends_with(".json") && key::check(key).is_ok()))
            .boxed()
    }

    /// Checks that the destination can be reached, and, as far as possible without writing, that it can be written to.
    pub(crate) async fn check(&self) -> Stored<()> {
        self.place.check().await.map_err(|problem| StorageError::new(&self.name, None, problem))
    }

    /// Retries failures of a destination that is temporarily unavailable. Each attempt is signed anew.
    async fn tried<T, F>(&self, key: &str, attempt: impl Fn() -> F) -> Stored<T>
    where
        F: Future<Output = Answer<T>>,
    {
        key::check(key).map_err(|problem| self.error(key, problem))?;
        let mut retry = Retry::within(self.retries);
        loop {
            let problem = match attempt().await {
                Ok(done) => return Ok(done),
                Err(problem) => problem,
            };
            match retry.wait_after(&problem) {
                Some(wait) => sleep(wait).await,
                None => return Err(self.error(key, problem)),
            }
        }
    }

    fn error(&self, key: &str, problem: Problem) -> StorageError {
        StorageError::new(&self.name, Some(key), problem)
    }
}

#[cfg(test)]
mod tests;
