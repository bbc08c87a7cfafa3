//! The backup service's own token.

use std::path::Path;

use anyhow::Result;
use strongroom_api::vault::v1::{IntrospectTokenRequest, IssueTokenRequest};

use crate::client::{Connection, unary};
use crate::files;

const ROLE: &str = "backup-service";

/// Sees to it that `path` holds a token that `vault` takes, and issues one if not.
pub(super) async fn ensure(vault: &Connection, path: &Path) -> Result<()> {
    if path.exists() {
        let request = IntrospectTokenRequest { token: files::read_token(path)? };
        if vault.answer(vault.tokens().introspect_token(unary(request))).await?.active {
            return Ok(());
        }
    }
    let request =
        IssueTokenRequest { name: "backup service".into(), role: ROLE.into(), ..Default::default() };
    let issued = vault.answer(vault.tokens().issue_token(unary(request))).await?;
    files::replace_private(path, &issued.secret)
}
