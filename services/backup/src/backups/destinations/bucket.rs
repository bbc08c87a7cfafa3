//! A bucket of S3, or of a service that speaks S3's protocol.
//!
//! `object_store` signs and encodes the requests. `transport` carries them and classifies failures; nothing is retried
//! below [`Destination`](super::Destination), so each attempt is signed with the credentials valid at that time.

mod builder;
mod credentials;
mod problem;
mod transport;
mod watched;

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::{MultipartStore as _, PartId as RemotePart};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _};

use super::place::Place;
use super::{Answer, Object, Part, PartId, Problem};
use crate::config::DestinationConfig;
use crate::error::Result;
use problem::{Verb, of};

/// A bucket, or the part of it below a prefix.
#[derive(Clone)]
pub(super) struct Bucket {
    store: AmazonS3,
    prefix: String,
}

impl Bucket {
    /// `silence`: how long the server may be silent.
    pub(super) fn create(
        config: &DestinationConfig,
        bucket: String,
        prefix: String,
        silence: Duration,
    ) -> Result<Self> {
        let store = builder::store(config, bucket, silence, std::env::vars_os())?;
        Ok(Self { store, prefix })
    }

    async fn page(&self, options: PaginatedListOptions) -> Answer<(Vec<String>, Option<String>)> {
        let prefix = (!self.prefix.is_empty()).then(|| format!("{}/", self.prefix));
        let page = self.store.list_paginated(prefix.as_deref(), options).await;
        let page = page.map_err(|error| of(&error, Verb::Read))?;
        let names = page.result.objects.iter().filter_map(|object| object.location.filename());
        Ok((names.map(str::to_owned).collect(), page.page_token))
    }

    fn path(&self, key: &str) -> Answer<Path> {
        Path::parse(format!("{}/{key}", self.prefix)).map_err(|_| Problem::BadKey)
    }
}

#[async_trait]
impl Place for Bucket {
    fn kind(&self) -> &'static str {
        "bucket"
    }

    async fn begin(&self, key: &str) -> Answer<String> {
        self.store.create_multipart(&self.path(key)?).await.map_err(|error| of(&error, Verb::Upload))
    }

    async fn put_part(&self, key: &str, id: &str, number: usize, _: u64, part: Part) -> Answer<PartId> {
        let sent = self.store.put_part(&self.path(key)?, &id.to_owned(), number, part).await;
        Ok(PartId(sent.map_err(|error| of(&error, Verb::Upload))?.content_id))
    }

    async fn complete(&self, key: &str, id: &str, parts: &[PartId], _: u64) -> Answer<()> {
        let parts = parts.iter().map(|part| RemotePart { content_id: part.0.clone() }).collect();
        let completed = self.store.complete_multipart(&self.path(key)?, &id.to_owned(), parts).await;
        completed.map(drop).map_err(|error| of(&error, Verb::Upload))
    }

    async fn abort(&self, key: &str, id: &str) -> Answer<()> {
        let aborted = self.store.abort_multipart(&self.path(key)?, &id.to_owned()).await;
        aborted.map_err(|error| of(&error, Verb::Upload))
    }

    async fn put_small(&self, key: &str, bytes: Bytes) -> Answer<()> {
        let put = self.store.put(&self.path(key)?, bytes.into()).await;
        put.map(drop).map_err(|error| of(&error, Verb::Write))
    }

    async fn head(&self, key: &str) -> Answer<Object> {
        let found = self.store.head(&self.path(key)?).await.map_err(|error| of(&error, Verb::Read));
        match found {
            Ok(found) => {
                let nameless = || Problem::Failed("it gives its objects no ETag, unlike S3".into());
                Ok(Object { etag: found.e_tag.ok_or_else(nameless)?, size: found.size })
            }
            // The answer has no body, so check whether the bucket itself is missing.
            Err(Problem::ObjectMissing) => self.check().await.and(Err(Problem::ObjectMissing)),
            Err(problem) => Err(problem),
        }
    }

    async fn read(
        &self,
        key: &str,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Answer<BoxStream<'static, Answer<Bytes>>> {
        if range.is_empty() {
            let object = self.head(key).await?;
            let same = etag.is_none_or(|etag| etag == object.etag);
            return if same { Ok(stream::empty().boxed()) } else { Err(Problem::ObjectChanged) };
        }
        let (range, if_match) = (Some(GetRange::Bounded(range)), etag.map(str::to_owned));
        let options = GetOptions { range, if_match, ..GetOptions::default() };
        let found = self.store.get_opts(&self.path(key)?, options).await;
        let found = found.map_err(|error| of(&error, Verb::Read))?;
        // Some services ignore the condition.
        if etag.is_some() && found.meta.e_tag.as_deref() != etag {
            return Err(Problem::ObjectChanged);
        }
        Ok(found.into_stream().map_err(|error| of(&error, Verb::Read)).boxed())
    }

    async fn delete(&self, key: &str) -> Answer<()> {
        match self.store.delete(&self.path(key)?).await.map_err(|error| of(&error, Verb::Delete)) {
            Err(Problem::ObjectMissing) => Ok(()),
            other => other,
        }
    }

    /// Lists all objects of one level below the prefix, page by page.
    fn keys(&self) -> BoxStream<'static, Answer<String>> {
        let pages = stream::try_unfold((self.clone(), Some(None)), |(bucket, token)| async move {
            let Some(page_token) = token else { return Ok(None) };
            let (keys, next) = bucket.page(PaginatedListOptions { page_token, ..one_level() }).await?;
            Ok(Some((stream::iter(keys.into_iter().map(Ok)), (bucket, next.map(Some)))))
        });
        pages.try_flatten().boxed()
    }

    async fn check(&self) -> Answer<()> {
        self.page(PaginatedListOptions { max_keys: Some(1), ..one_level() }).await.map(drop)
    }
}

fn one_level() -> PaginatedListOptions {
    PaginatedListOptions { delimiter: Some("/".into()), ..PaginatedListOptions::default() }
}
