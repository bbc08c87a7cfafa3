//! `strongroom key export-public`: the keys that verify archives without the vault.
//!
//! One line per version, `<kid> <64 hex digits>`, the same on standard output and in a file. Every version is included,
//! even those that no longer sign: archives with their signatures still exist.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use strongroom_api::vault::v1::{ExportSigningKeyRequest, ExportSigningKeyResponse, SigningKey};

use crate::client::{Connection, unary};
use crate::out_file::refuse_existing;
use crate::output::{Format, int64, key_values};

pub(super) async fn export(
    vault: &Connection,
    out: Option<&Path>,
    force: bool,
    format: Format,
) -> Result<()> {
    let out = out.filter(|out| *out != Path::new("-"));
    if let Some(out) = out {
        refuse_existing(out, force)?;
    }
    let answer = ask(vault).await?;
    let lines = lines(&answer.keys)?;
    let Some(out) = out else {
        return format.message("strongroom.vault.v1.ExportSigningKeyResponse", &answer, || lines);
    };
    std::fs::write(out, &lines).with_context(|| format!("cannot write {}", out.display()))?;
    let (count, out) = (answer.keys.len(), out.display().to_string());
    format.document(&json!({"out": out, "keys": int64(count)}), || {
        key_values([("out", out.as_str()), ("keys", &count.to_string())])
    })
}

/// The lines of a signer file.
pub(in crate::commands) async fn fetch(vault: &Connection) -> Result<String> {
    lines(&ask(vault).await?.keys)
}

async fn ask(vault: &Connection) -> Result<ExportSigningKeyResponse> {
    vault.answer(vault.crypto().export_signing_key(unary(ExportSigningKeyRequest {}))).await
}

/// # Errors
/// When there is no key, or one is malformed: nobody could verify anything with it.
fn lines(keys: &[SigningKey]) -> Result<String> {
    ensure!(!keys.is_empty(), "the vault has no signing key");
    let mut lines = String::new();
    for key in keys {
        let (kid, public) = (key.kid.as_str(), key.public_key.as_str());
        let is_key = strongroom_crypto::is_lower_hex(kid, 16) && strongroom_crypto::is_lower_hex(public, 64);
        ensure!(is_key, "the vault sent an invalid signing key: {kid:?} {public:?}");
        lines.extend([kid, " ", public, "\n"]);
    }
    Ok(lines)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_version_and_nothing_else() {
        let key = |kid: &str, public_key: String| SigningKey { kid: kid.into(), public_key, primary: false };
        let (one, two) = (key("0123456789abcdef", "ab".repeat(32)), key("fedcba9876543210", "cd".repeat(32)));
        let expected = format!("0123456789abcdef {}\nfedcba9876543210 {}\n", one.public_key, two.public_key);
        assert_eq!(lines(&[one, two]).unwrap(), expected);
        assert!(lines(&[]).is_err());
        assert!(lines(&[key("0123456789abcdef", "ab".repeat(31))]).is_err());
        assert!(lines(&[key("0123456789abcde\n", "ab".repeat(32))]).is_err());
    }
}
