//! `strongroom key new-root`: the key that no server creates.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use strongroom_crypto::RootKey;

use crate::files;
use crate::output::{Format, key_values, message};

/// Creates a root key in `out`, which must not exist.
pub(super) fn create(out: &Path, format: Format) -> Result<()> {
    let root = RootKey::generate();
    files::create_private(out, &root.to_text())?;
    let (id, out) = (root.id().to_string(), out.display().to_string());
    format.document(&json!({"rootKeyId": id, "out": out}), || {
        key_values([("root key id", id.as_str()), ("out", out.as_str())])
    })?;
    message("store a copy away from this machine: without this key, nothing sealed under it can be opened");
    Ok(())
}
