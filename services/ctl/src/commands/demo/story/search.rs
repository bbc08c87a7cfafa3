//! Tests the claim that no secret leaves the vault unsealed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::secrets::KEYS;
use crate::cli::ArchiveKeys;
use crate::commands::archive;
use crate::commands::demo::narrator::Narrator;
use crate::input::Input;

/// Looks for each key, plain, in base64 and in hex, in the opened archives and in the databases.
pub(super) async fn no_secret_in(
    folder: &Path,
    exported: &[PathBuf],
    keys: &ArchiveKeys,
    narrator: &mut Narrator,
) -> Result<()> {
    let needles: Vec<Vec<u8>> = KEYS.iter().flat_map(|(_, _, key)| forms(key)).collect();
    let mut searched = 0;
    for path in exported {
        let (mut archive, _) = archive::open(&Input::of(path)?, keys).await?;
        let names: Vec<String> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
        for name in names {
            let mut bytes = Vec::new();
            archive.entry(&name)?.read_to_end(&mut bytes).with_context(|| name.clone())?;
            searched += search(&bytes, &needles, &name)?;
        }
    }
    for file in ["vault.db", "vault.db-wal", "backup.db", "backup.db-wal", "gateway.db"] {
        // SQLite's write-ahead log exists only at times.
        if let Ok(bytes) = std::fs::read(folder.join(file)) {
            searched += search(&bytes, &needles, file)?;
        }
    }
    narrator.step(
        "No key is in the archives or the databases",
        &format!(
            "Searched {searched} decompressed bytes of both archives and of the database files for the three keys:\n\
             plain, base64 and hex. An archive in the wrong hands opens no provider account; restoring it\n\
             takes the root key, which is not in it."
        ),
    )
}

fn forms(key: &str) -> Vec<Vec<u8>> {
    let hex = hex::encode(key);
    let texts =
        [key.to_owned(), STANDARD_NO_PAD.encode(key), URL_SAFE_NO_PAD.encode(key), hex.to_uppercase(), hex];
    texts.into_iter().map(String::into_bytes).collect()
}

fn search(bytes: &[u8], needles: &[Vec<u8>], place: &str) -> Result<usize> {
    for needle in needles {
        let found = bytes.windows(needle.len()).any(|window| window == needle);
        ensure!(!found, "a secret is readable in {place}");
    }
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_every_form() {
        let needles = forms("sk-demo");
        for hidden in ["x sk-demo y", "c2stZGVtbw==", "736b2d64656d6f", "736B2D64656D6F"] {
            assert!(search(hidden.as_bytes(), &needles, "there").is_err(), "{hidden}");
        }
        assert_eq!(search(b"sk-...emo", &needles, "there").ok(), Some(9));
    }
}
