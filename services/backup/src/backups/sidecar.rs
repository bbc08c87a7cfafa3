//! The sidecar of a stored backup: a small JSON file beside each copy that describes the copy and is signed by the
//! vault.
//!
//! It is written last, so a copy without one does not count, and again whenever a hold or a deletion changes. A scan
//! can rebuild the catalogue from sidecars alone. The signature covers the record's exact bytes in the file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use strongroom_crypto::{SIGNATURE_BYTES, Statement, verify};

use super::destinations::Destination;
use super::record::{Content, Selection, from_json};
use crate::error::{Error, Result};
use crate::store::{BackupRow, CopyRow};
use crate::vault_client::{SidecarSignature, SigningKey, VaultClient};

/// Suffix of its key, after that of the copy.
pub(crate) const SUFFIX: &str = ".json";
/// Version of the record's format.
const FORMAT_VERSION: u32 = 1;
/// Maximum size of a sidecar that is read, in bytes. A backup may name 8,000 key versions and 10,000 tables.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// The content of a sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format_version: u32,
    pub(crate) archive_id: String,
    /// Key of the copy beside it, without the destination's prefix.
    pub(crate) key: String,
    pub(crate) file_name: String,
    pub(crate) creator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schedule: Option<String>,
    pub(crate) create_time: Timestamp,
    pub(crate) end_time: Option<Timestamp>,
    pub(crate) selection: Selection,
    pub(crate) content: Content,
    pub(crate) hold: bool,
    pub(crate) delete_time: Option<Timestamp>,
    pub(crate) purge_time: Option<Timestamp>,
    /// Increased by every change.
    pub(crate) revision: i64,
}

impl Record {
    /// For a copy of a backup. An invalid time is omitted, and so are the names of items that the archive leaves out:
    /// everyone with read access to the destination can read this.
    pub(crate) fn of(row: &BackupRow, copy: &CopyRow) -> Self {
        let content = Content {
            left_out: Vec::new(),
            table_rows: BTreeMap::new(),
            anomalies: Vec::new(),
            ..from_json(&row.content)
        };
        let time = |micros: i64| Timestamp::from_microsecond(micros).ok();
        Self {
            format_version: FORMAT_VERSION,
            archive_id: row.id.clone(),
            key: copy.key.clone(),
            file_name: row.file_name.clone(),
            creator: row.creator.clone(),
            schedule: row.schedule.clone(),
            create_time: time(row.create_time).unwrap_or_default(),
            end_time: row.end_time.and_then(time),
            selection: from_json(&row.selection),
            content,
            hold: row.hold,
            delete_time: row.delete_time.and_then(time),
            purge_time: row.purge_time.and_then(time),
            revision: row.record_revision,
        }
    }
}

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    record: Box<RawValue>,
    signature: Signed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    kid: String,
    /// RFC 3339 in UTC with six decimals, exactly as signed.
    time: String,
    /// Lower-case hex.
    ed25519: String,
}

/// Builds the file for `record`, which is JSON.
fn write(record: String, signature: &SidecarSignature) -> serde_json::Result<Vec<u8>> {
    let signature = Signed {
        kid: signature.kid.clone(),
        time: signature.time.clone(),
        ed25519: hex::encode(&signature.bytes),
    };
    let sidecar = Sidecar { record: RawValue::from_string(record)?, signature };
    serde_json::to_vec_pretty(&sidecar)
}

/// Has the vault sign the catalogue's description of `copy`, and writes it beside the copy.
///
/// # Errors
/// Errors of the vault and the destination.
pub(crate) async fn put(
    destination: &Destination,
    row: &BackupRow,
    copy: &CopyRow,
    vault: &VaultClient,
) -> Result<()> {
    let record = super::record::to_json(&Record::of(row, copy));
    let signature = vault.sign_sidecar(&row.id, &record).await?;
    let bytes = write(record, &signature)
        .map_err(|error| Error::Defect(format!("a sidecar makes no JSON: {error}")))?;
    Ok(destination.put_small(&sidecar_key(&copy.key), bytes.into()).await?)
}

/// The key of the sidecar for the copy `key`.
pub(crate) fn sidecar_key(key: &str) -> String {
    format!("{key}{SUFFIX}")
}

/// The judgement of a sidecar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Signed by the vault.
    Good(Box<Record>),
    /// Signed by nobody known to the vault.
    UnknownSigner(Box<Record>),
    /// Not a sidecar, or changed; with the reason as a sentence.
    Refused(String),
}

/// Reads the sidecar of the copy `key` and compares its signature with the vault's `keys`.
pub(crate) fn judge(bytes: &[u8], key: &str, keys: &[SigningKey]) -> Judged {
    let (sidecar, record) = match parse(bytes, key) {
        Ok(parsed) => parsed,
        Err(problem) => return Judged::Refused(problem),
    };
    let Some(signer) = keys.iter().find(|known| known.kid == sidecar.signature.kid) else {
        return Judged::UnknownSigner(record);
    };
    let signature = hex::decode(&sidecar.signature.ed25519).ok();
    let Some(signature) = signature.and_then(|bytes| <[u8; SIGNATURE_BYTES]>::try_from(bytes).ok()) else {
        return Judged::Refused("its signature has an invalid form".to_owned());
    };
    let digest = Sha256::digest(sidecar.record.get()).into();
    let (archive_id, time) = (record.archive_id.as_str(), sidecar.signature.time.as_str());
    let statement = Statement::BackupSidecar { archive_id, time, digest: &digest };
    match verify(&signer.public, &statement, &signature) {
        Ok(()) => Judged::Good(record),
        Err(_) => Judged::Refused("its signature does not match its content: it was changed".to_owned()),
    }
}

fn parse(bytes: &[u8], key: &str) -> Result<(Sidecar, Box<Record>), String> {
    let sidecar: Sidecar =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not a sidecar: {error}"))?;
    let record = serde_json::from_str::<Record>(sidecar.record.get());
    let record = record.map_err(|error| format!("its record cannot be read: {error}"))?;
    if record.format_version != FORMAT_VERSION {
        let version = record.format_version;
        return Err(format!("its record has version {version}; this release reads {FORMAT_VERSION}"));
    }
    if record.key != key {
        return Err("it is the sidecar of another object".to_owned());
    }
    if !is_id(&record.archive_id) || !key.contains(&record.archive_id) {
        return Err("its object's name does not contain its archive's id".to_owned());
    }
    Ok((sidecar, Box::new(record)))
}

/// Whether the text has the form of an archive id.
fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok_and(|id| id.to_string() == text)
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey};

    use super::*;
    use crate::store::{BackupState, CopyState};

    const ID: &str = "01a226b5-5d7f-7284-af18-0b81e19be388";
    pub(super) const KEY: &str = "app-backup-2026-11-29-094909-01a226b5-5d7f-7284-af18-0b81e19be388.zip.age";
    const TIME: &str = "2026-11-29T09:49:10.000007Z";

    pub(super) fn ring() -> KeyRing {
        let root = RootKey::generate();
        KeyRing::open(&[&root], &[KeyVersion::create(&root, "signing", Purpose::Signing, 1)]).unwrap()
    }

    pub(super) fn keys(ring: &KeyRing) -> Vec<SigningKey> {
        let public = ring.public_keys("signing").into_iter();
        public.map(|key| SigningKey { kid: key.kid.to_string(), public: key.bytes }).collect()
    }

    pub(super) fn record() -> Record {
        let row = BackupRow {
            id: ID.into(),
            file_name: "app-backup-2026-11-29-094909.zip.age".into(),
            state: BackupState::Available,
            creator: "token:a".into(),
            request: None,
            create_time: 1_700_000_000_000_000,
            end_time: Some(1_700_000_001_000_000),
            reason: String::new(),
            problem: String::new(),
            selection: String::new(),
            content: String::new(),
            hold: true,
            delete_time: None,
            purge_time: None,
            verify_time: None,
            verification: String::new(),
            progress: String::new(),
            revision: 3,
            record_revision: 2,
            schedule: Some("nightly".into()),
            due_time: Some(5),
        };
        let copy = CopyRow {
            backup_id: ID.into(),
            destination: "a".into(),
            position: 0,
            key: KEY.into(),
            state: CopyState::Stored,
            reason: String::new(),
            problem: String::new(),
            upload_id: String::new(),
            etag: String::new(),
            recorded: 2,
        };
        Record::of(&row, &copy)
    }

    pub(super) fn signed(
        ring: &KeyRing,
        record: &Record,
        statement: for<'a> fn(&'a str, &'a [u8; 32]) -> Statement<'a>,
    ) -> String {
        let json = super::super::record::to_json(record);
        let digest = Sha256::digest(&json).into();
        let (kid, bytes) = ring.sign("signing", &statement(&record.archive_id, &digest)).unwrap();
        let signature = SidecarSignature { kid: kid.to_string(), time: TIME.into(), bytes: bytes.to_vec() };
        String::from_utf8(write(json, &signature).unwrap()).unwrap()
    }

    pub(super) fn as_sidecar<'a>(archive_id: &'a str, digest: &'a [u8; 32]) -> Statement<'a> {
        Statement::BackupSidecar { archive_id, time: TIME, digest }
    }

    fn as_manifest<'a>(archive_id: &'a str, digest: &'a [u8; 32]) -> Statement<'a> {
        Statement::ArchiveManifest { archive_id, time: TIME, digest }
    }

    #[test]
    fn what_the_vault_has_signed_comes_back() {
        let ring = ring();
        let text = signed(&ring, &record(), as_sidecar);
        assert_eq!(judge(text.as_bytes(), KEY, &keys(&ring)), Judged::Good(Box::new(record())));
    }

    #[test]
    fn a_signer_whom_the_vault_does_not_know_counts_for_nothing() {
        let text = signed(&ring(), &record(), as_sidecar);
        let judged = judge(text.as_bytes(), KEY, &keys(&ring()));
        assert_eq!(judged, Judged::UnknownSigner(Box::new(record())));
    }

    #[test]
    fn any_changed_byte_of_the_record_is_noticed() {
        let ring = ring();
        let text = signed(&ring, &record(), as_sidecar);
        let (from, to) = (text.find("{\"format_version").unwrap(), text.find(",\n  \"signature").unwrap());
        for at in from..to {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let judged = judge(&changed, KEY, &keys(&ring));
            assert!(matches!(judged, Judged::Refused(_)), "byte {at}: {judged:?}");
        }
        let spaced = text.replacen("\"hold\":true", "\"hold\": true", 1);
        assert!(matches!(judge(spaced.as_bytes(), KEY, &keys(&ring)), Judged::Refused(_)));
    }

    #[test]
    fn a_signature_of_a_manifest_or_beside_another_object_does_not_pass() {
        let ring = ring();
        let text = signed(&ring, &record(), as_manifest);
        assert!(matches!(judge(text.as_bytes(), KEY, &keys(&ring)), Judged::Refused(_)));
        let text = signed(&ring, &record(), as_sidecar);
        let other = KEY.replace("-09", "-10");
        assert!(matches!(judge(text.as_bytes(), &other, &keys(&ring)), Judged::Refused(_)));
        for strange in [
            Record { format_version: 2, ..record() },
            Record { archive_id: "../x".into(), ..record() },
            Record { archive_id: ID.to_uppercase(), ..record() },
        ] {
            let text = signed(&ring, &strange, as_sidecar);
            let judged = judge(text.as_bytes(), KEY, &keys(&ring));
            assert!(matches!(judged, Judged::Refused(_)), "{judged:?}");
        }
    }

    #[test]
    fn what_is_no_sidecar_is_refused_with_a_sentence() {
        for bytes in [&b""[..], b"{}", b"[]", b"\xff\xfe", br#"{"record": {}, "signature": {}}"#] {
            assert!(
                matches!(judge(bytes, KEY, &[]), Judged::Refused(problem) if problem.starts_with("it is not a sidecar"))
            );
        }
    }
}
