//! A head of the audit log that was stored outside the vault: as `audit head -o json` printed it, in an archive, or in
//! an archive's manifest. Without it, a log that was truncated together with the vault's own head goes undetected.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use strongroom_archive::Limits;

use crate::cli::ArchiveKeys;
use crate::commands::archive;
use crate::input::Input;

const NOT_THERE: &str = "there is none: the archive was made without a vault, or before the first event";

/// A position in the log, and the chain's MAC there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The log; empty if the file does not name it.
    pub(super) chain: String,
    pub(super) sequence: i64,
    /// Hex.
    pub(super) mac: String,
}

/// The form in files. Proto3 JSON writes 64-bit numbers as text, a manifest as numbers.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    chain: String,
    sequence: Value,
    mac: String,
}

/// The head in the file at `path`; `keys` open a sealed archive.
///
/// # Errors
/// When the file has none of these forms, cannot be opened, or holds no head that proves anything.
pub(super) async fn read(path: &Path, keys: &ArchiveKeys) -> Result<Head> {
    let input = Input::of(path)?;
    read_from(&input, keys).await.with_context(|| format!("the audit head in {}", input.name()))
}

async fn read_from(input: &Input, keys: &ArchiveKeys) -> Result<Head> {
    let mut file = input.open()?;
    let mut begin = Vec::new();
    (&mut file).take(4).read_to_end(&mut begin)?;
    file.rewind()?;
    match begin.as_slice() {
        b"PK\x03\x04" | b"age-" => of_archive(input, keys).await,
        _ => of_json(file),
    }
}

async fn of_archive(input: &Input, keys: &ArchiveKeys) -> Result<Head> {
    let (archive, _) = archive::open(input, keys).await?;
    let head = archive.manifest().audit_head.as_ref().context(NOT_THERE)?;
    checked(&head.chain, i64::try_from(head.sequence)?, &head.mac)
}

fn of_json(file: File) -> Result<Head> {
    let mut text = Vec::new();
    file.take(Limits::V1.manifest_bytes).read_to_end(&mut text)?;
    let mut document: Value = serde_json::from_slice(&text).context("this is neither JSON nor an archive")?;
    if document.get("format_version").is_some() {
        document = document.get_mut("audit_head").map(Value::take).context(NOT_THERE)?;
    }
    let head: Document = serde_json::from_value(document).context("sequence and mac are required")?;
    let sequence = match &head.sequence {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_i64(),
    };
    checked(&head.chain, sequence.context("its sequence is not a number")?, &head.mac)
}

fn checked(chain: &str, sequence: i64, mac: &str) -> Result<Head> {
    ensure!(sequence > 0, "it is the head of an empty log, which cannot be compared");
    let is_code = !mac.is_empty() && mac.bytes().all(|digit| digit.is_ascii_hexdigit());
    ensure!(is_code, "it has no MAC (mac, in hex) to compare with");
    Ok(Head { chain: chain.to_owned(), sequence, mac: mac.to_owned() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use strongroom_age::{FileKey, Recipient, Recipients, SealWriter, X25519Identity};
    use strongroom_archive::manifest::{AuditHead, ManifestHead, Ordered};
    use strongroom_archive::{ArchiveWriter, Compression};

    use super::*;

    fn head_in(bytes: &[u8]) -> Result<Head> {
        head_with(bytes, &ArchiveKeys::default())
    }

    fn head_with(bytes: &[u8], keys: &ArchiveKeys) -> Result<Head> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(file.path(), keys))
    }

    /// `archive` sealed to a recovery key, and that key's file.
    fn sealed(archive: &[u8]) -> (Vec<u8>, tempfile::NamedTempFile) {
        let key = X25519Identity::generate();
        let recipients = Recipients::Keys(vec![Recipient::X25519(key.recipient())]);
        let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients).unwrap();
        writer.write_all(archive).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), key.to_text().as_bytes()).unwrap();
        (writer.finish().unwrap(), file)
    }

    fn archive(audit_head: Option<AuditHead>) -> Vec<u8> {
        let head = ManifestHead {
            app_name: "A".into(),
            app_url: "http://localhost".into(),
            created_at: "2030-01-31T12:00:00Z".parse().unwrap(),
            options: Ordered::default(),
            archive_id: "01890000-0000-7000-8000-000000000000".into(),
            deployment_id: None,
            producer: "test".into(),
            root_key_id: None,
            kids: Vec::new(),
            encrypted_columns: Vec::new(),
            audit_head,
            sources: Vec::new(),
            partial: None,
        };
        let writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
        writer.finish(head).unwrap().1
    }

    #[test]
    fn every_form_is_read() {
        let kept = AuditHead { chain: String::new(), sequence: 7, mac: "ab01".into() };
        for (form, bytes) in [
            ("printed", br#"{"sequence": "7", "time": "2030-01-31T12:00:00Z", "mac": "ab01"}"#.to_vec()),
            ("number", br#"{"sequence": 7, "mac": "ab01"}"#.to_vec()),
            ("manifest", br#"{"format_version": 1, "audit_head": {"sequence": 7, "mac": "ab01"}}"#.to_vec()),
            ("archive", archive(Some(kept))),
        ] {
            assert_eq!(
                head_in(&bytes).unwrap(),
                Head { chain: String::new(), sequence: 7, mac: "ab01".into() },
                "{form}"
            );
        }
    }

    #[test]
    fn a_sealed_archive_is_opened_with_its_key_and_no_other() {
        let (file, key) =
            sealed(&archive(Some(AuditHead { chain: String::new(), sequence: 7, mac: "ab01".into() })));
        let with = |key: &tempfile::NamedTempFile| {
            let keys = ArchiveKeys { identity: Some(key.path().to_owned()), passphrase_file: None };
            head_with(&file, &keys)
        };
        assert_eq!(with(&key).unwrap().sequence, 7);
        let (_, other) = sealed(b"");
        let error = format!("{:#}", with(&other).unwrap_err());
        assert!(error.contains("none of the keys given opens this file"), "{error}");
    }

    #[test]
    fn everything_else_says_what_is_wrong() {
        for (bytes, expected) in [
            (b"".to_vec(), "neither JSON nor an archive"),
            (b"7 ab01".to_vec(), "neither JSON nor an archive"),
            (b"{}".to_vec(), "sequence and mac"),
            (br#"{"sequence": "7"}"#.to_vec(), "sequence and mac"),
            (br#"{"sequence": "x", "mac": "ab01"}"#.to_vec(), "not a number"),
            (br#"{"sequence": "0", "time": null, "mac": ""}"#.to_vec(), "empty log"),
            (br#"{"sequence": "7", "mac": ""}"#.to_vec(), "no MAC"),
            (br#"{"sequence": "7", "mac": "xyz"}"#.to_vec(), "no MAC"),
            (br#"{"format_version": 1}"#.to_vec(), "there is none"),
            (b"age-encryption.org/v1\n".to_vec(), "header"),
            (archive(None), "there is none"),
            (b"PK\x03\x04 and nothing more".to_vec(), "the audit head in "),
        ] {
            let error = format!("{:#}", head_in(&bytes).unwrap_err());
            assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        }
    }
}
