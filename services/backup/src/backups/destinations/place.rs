//! Operations that a folder and a bucket implement separately. [`Destination`](super::Destination) describes them.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{Answer, Object, Part, PartId};

/// One attempt of each operation. Keys have been checked.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// Its kind, for display.
    fn kind(&self) -> &'static str;

    async fn begin(&self, key: &str) -> Answer<String>;

    /// Buckets use the part's `number`, folders its `offset`.
    async fn put_part(&self, key: &str, id: &str, number: usize, offset: u64, part: Part) -> Answer<PartId>;

    /// A folder checks the size before the object is visible, a bucket the parts.
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

    /// The names of all objects, including foreign ones.
    fn keys(&self) -> BoxStream<'static, Answer<String>>;

    async fn check(&self) -> Answer<()>;
}
