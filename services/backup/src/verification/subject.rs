//! A stored file as the subject of a verification, whose result is recorded with it. Clients' uploads are the other
//! subjects.

use async_trait::async_trait;
use strongroom_api::backup::v1::LevelVerdict;

use crate::error::Result;

/// A stored file.
#[async_trait]
pub(crate) trait Subject: Send + Sync + 'static {
    /// SHA-256 of the file that was stored, lower-case hex.
    fn sha256(&self) -> &str;

    /// Records the result with the file.
    async fn keep(&self, ok: bool, levels: &[LevelVerdict]) -> Result<()>;
}
