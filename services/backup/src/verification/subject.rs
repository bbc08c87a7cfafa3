//! The subject of a verification other than a client's upload: a stored file that keeps the result.

use async_trait::async_trait;
use strongroom_api::backup::v1::LevelVerdict;

use crate::error::Result;

/// A stored file.
#[async_trait]
pub(crate) trait Subject: Send + Sync + 'static {
    /// SHA-256 of the file that was stored, lower-case hex.
    fn sha256(&self) -> &str;

    /// Keeps the result.
    async fn keep(&self, ok: bool, levels: &[LevelVerdict]) -> Result<()>;
}
