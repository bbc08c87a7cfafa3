//! What a folder and a bucket do each in their own way. [`Destination`](super::Destination) describes the verbs.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{Answer, Object, Part, PartId};

/// One try of each verb. Keys are checked before.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// What it is, for people.
    fn kind(&self) -> &'static str;

    async fn begin(&self, key: &str) -> Answer<String>;

    /// The part's `number` counts for buckets, its `offset` for folders.
    async fn put_part(&self, key: &str, id: &str, number: usize, offset: u64, part: Part) -> Answer<PartId>;

    /// A folder knows the size before the object is visible, a bucket the parts.
    async fn complete(&self, key: &str, id: &str, parts: &[PartId], size: u64) -> Answer<()>;

    async fn abort(&self, key: &str, id: &str) -> Answer<()>;

    async fn put_small(&self, key: &str, bytes: Bytes) -> Answer<()>;

    async fn head(&self, key: &str) -> Answer<Object>;

    async fn read(
        &self,
        key: &str,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Answer<BoxStream<'static, Answer<Bytes>>>;

    async fn delete(&self, key: &str) -> Answer<()>;

    /// The names of all objects, also of those that nobody here wrote.
    fn keys(&self) -> BoxStream<'static, Answer<String>>;

    async fn check(&self) -> Answer<()>;
}
