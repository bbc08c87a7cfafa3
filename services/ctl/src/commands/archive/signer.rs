//! The origin of an archive: checks its signature against signing keys that the operator stored apart from it.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use strongroom_archive::ArchiveReader;
use strongroom_crypto::{PUBLIC_KEY_BYTES, Statement, verify};

use super::content::Content;
use crate::cli::SignerFile;
use crate::error::UnknownSigner;
use crate::input;

/// Longest signer file that is read, in bytes: about 12,000 keys.
const MAX_BYTES: u64 = 1 << 20;

/// Public halves of a vault's signing key.
pub(in crate::commands) struct Signer {
    keys: Vec<(String, [u8; PUBLIC_KEY_BYTES])>,
}

impl Signer {
    /// `None` if no file was given.
    pub(super) fn read(signer: &SignerFile) -> Result<Option<Self>> {
        signer.signer.as_deref().map(Self::read_file).transpose()
    }

    /// Reads lines as `key export-public` writes them; skips empty lines and those that begin with `#`.
    pub(in crate::commands) fn read_file(path: &Path) -> Result<Self> {
        let named = || format!("the signer file {}", input::name(path));
        let mut text = String::new();
        input::stream(path)?.take(MAX_BYTES).read_to_string(&mut text).with_context(named)?;
        Self::parse(&text).with_context(named)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut keys = Vec::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let key = parse_line(line);
                keys.push(
                    key.with_context(|| format!("line {} is not a version and 64 hex digits", at + 1))?,
                );
            }
        }
        ensure!(!keys.is_empty(), "it holds no key");
        Ok(Self { keys })
    }

    /// The key version that signed the archive.
    ///
    /// # Errors
    /// [`UnknownSigner`] if the archive is not signed, or not by one of these keys; another error if its signature is
    /// not valid.
    pub(super) fn check(&self, archive: &mut ArchiveReader<Content>) -> Result<String> {
        let Some(signature) = archive.signature()? else {
            return Err(UnknownSigner::unsigned().into());
        };
        let Some((kid, public)) = self.keys.iter().find(|(kid, _)| kid == signature.kid()) else {
            return Err(UnknownSigner::unknown_key().into());
        };
        let statement = Statement::ArchiveManifest {
            archive_id: signature.archive_id(),
            time: &signature.time_text(),
            digest: &Sha256::digest(archive.manifest_json()).into(),
        };
        verify(public, &statement, signature.bytes())?;
        Ok(kid.clone())
    }

    /// The lines of a signer file.
    pub(in crate::commands) fn lines(&self) -> String {
        self.keys.iter().map(|(kid, public)| format!("{kid} {}\n", hex::encode(public))).collect()
    }
}

/// The key version that signed the archive; empty if no signer was given.
pub(super) fn check_signer(signer: Option<&Signer>, archive: &mut ArchiveReader<Content>) -> Result<String> {
    signer.map_or(Ok(String::new()), |signer| signer.check(archive))
}

fn parse_line(line: &str) -> Option<(String, [u8; PUBLIC_KEY_BYTES])> {
    let (kid, public) = line.split_once(' ')?;
    let is_kid = kid.len() == 16 && kid.bytes().all(|digit| digit.is_ascii_hexdigit());
    let public = hex::decode(public).ok()?.try_into().ok()?;
    is_kid.then(|| (kid.to_ascii_lowercase(), public))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_signer_file_is_read_line_by_line() {
        let line = format!("0123456789abcdef {}", "ab".repeat(32));
        let signer = Signer::parse(&format!("# ours\n\n{line}\n")).unwrap();
        assert_eq!(signer.lines(), format!("{line}\n"));
        assert_eq!(Signer::parse(&format!("\u{feff}{line}\r\n")).unwrap().lines(), format!("{line}\n"));
        for bad in ["", "# only a comment", "0123456789abcdef", &line[1..], &format!("{line}00"), "a b"] {
            assert!(Signer::parse(bad).is_err(), "{bad:?}");
        }
    }
}
