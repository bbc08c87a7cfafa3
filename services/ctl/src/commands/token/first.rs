//! `strongroom token new`: a token for the first start of a vault, which registers the tokens in the files that its
//! configuration names.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use strongroom_crypto::Token;

use crate::files;
use crate::output::{Format, key_values, message};

/// Creates a token in `out`, which must not exist.
pub(super) fn create(out: &Path, format: Format) -> Result<()> {
    let token = Token::generate();
    files::create_private(out, token.expose())?;
    let (id, out) = (token.id().to_owned(), out.display().to_string());
    format.document(&json!({"tokenId": id, "out": out}), || {
        key_values([("id", id.as_str()), ("out", out.as_str())])
    })?;
    message(
        "no vault knows it yet: name the file as vault.admin_token_file or vault.backup_token_file before the vault's \
         first start",
    );
    Ok(())
}
