//! The backup service's own token.

use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use strongroom_api::vault::v1::{IntrospectTokenRequest, IssueTokenRequest};
use strongroom_crypto::Token;

use crate::client::{Connection, unary};
use crate::files;

const ROLE: &str = "backup-service";

/// Issues a token into `path`, unless it already holds one that `vault` accepts.
pub(super) async fn ensure(vault: &Connection, path: &Path) -> Result<()> {
    if path.exists()
        && let Ok(token) = Token::parse(&files::read_token(path)?)
    {
        let introspect_hash = Bytes::copy_from_slice(&token.introspect_hash());
        let request = IntrospectTokenRequest { introspect_hash };
        if vault.answer(vault.tokens().introspect_token(unary(request))).await?.active {
            return Ok(());
        }
    }
    let request =
        IssueTokenRequest { name: "backup service".into(), role: ROLE.into(), ..Default::default() };
    let issued = vault.answer(vault.tokens().issue_token(unary(request))).await?;
    files::replace_private(path, &issued.secret)
}
