//! The manifest of a `.geb`: the list by which its bytes are split.

use std::collections::HashSet;
use std::io::Read;

use serde::{Deserialize, Deserializer};
use strongroom_crypto::SecretBytes;

use super::envelope::Payload;
use crate::error::{Error, Result};

/// Maximum number of recordings that are unpacked. Gatwy writes any number and itself reads back at most
/// 1,000.
pub const MAX_RECORDINGS: usize = 100_000;

/// Enough for [`MAX_RECORDINGS`] names of 255 bytes.
const MAX_BYTES: u64 = 64 << 20;

const LENGTH_BYTES: u64 = 4;
const VERSION: u64 = 1;

/// The longest file name in common file systems, in bytes.
const LONGEST_NAME: usize = 255;

/// The contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// When it was made, according to the file.
    pub exported_at: String,
    /// The size of the SQLite database.
    pub database_bytes: u64,
    /// Session recordings in file order.
    pub recordings: Vec<Recording>,
}

/// One session recording.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recording {
    /// A plain file name.
    pub name: String,
    /// Its size as stored, including the header of the encryption at rest.
    #[serde(rename = "size")]
    pub bytes: u64,
}

/// The contents, and the master key.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) contents: Contents,
    /// 32 bytes.
    pub(super) master_key: SecretBytes,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    exported_at: String,
    db_size: u64,
    recordings: Vec<Recording>,
    #[serde(deserialize_with = "secret")]
    encryption_key_hex: SecretBytes,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretBytes, D::Error> {
    String::deserialize(deserializer).map(|text| SecretBytes::new(text.into_bytes()))
}

impl Manifest {
    /// Reads the manifest at the start of an authentic payload and requires that it accounts for the whole
    /// payload.
    pub(super) fn read<R: Read>(payload: &mut Payload<'_, R>) -> Result<Self> {
        let (fields, _) = read_fields(payload)?;
        let key = hex::decode(fields.encryption_key_hex.expose()).map(SecretBytes::new);
        let key = key.ok().filter(|key| key.expose().len() == 32);
        let master_key = key.ok_or_else(|| malformed("has a master key that is not 64 hex digits"))?;
        check_recordings(&fields.recordings)?;
        check_sizes(&fields, payload.left())?;
        let contents = Contents {
            exported_at: fields.exported_at,
            database_bytes: fields.db_size,
            recordings: fields.recordings,
        };
        Ok(Self { contents, master_key })
    }

    /// The expected length of the whole payload; `None` if it cannot be determined.
    pub(super) fn expected_bytes<R: Read>(payload: &mut Payload<'_, R>) -> Option<u64> {
        match read_fields(payload) {
            Ok((fields, manifest_bytes)) => {
                let recordings = fields.recordings.iter().map(|recording| recording.bytes);
                let mut sizes = [LENGTH_BYTES, manifest_bytes, fields.db_size].into_iter().chain(recordings);
                sizes.try_fold(0_u64, u64::checked_add)
            }
            Err(Error::TooLarge { bytes, .. }) => Some(LENGTH_BYTES + bytes),
            Err(_) => None,
        }
    }
}

/// Moves the payload past the manifest. The second value is the manifest's length.
fn read_fields<R: Read>(payload: &mut Payload<'_, R>) -> Result<(Fields, u64)> {
    let json = read_json(payload)?;
    // A parser's message may repeat its input, and this document contains a key: only the position is
    // reported.
    let place = |error: serde_json::Error| {
        malformed(format!("is not in Gatwy's form: line {}, column {}", error.line(), error.column()))
    };
    let version = serde_json::from_slice::<Version>(json.expose()).map_err(place)?.version;
    if version != VERSION {
        return Err(Error::FutureGeb(version, "manifest"));
    }
    let fields = serde_json::from_slice::<Fields>(json.expose()).map_err(place)?;
    Ok((fields, json.expose().len() as u64))
}

fn read_json<R: Read>(payload: &mut Payload<'_, R>) -> Result<SecretBytes> {
    if payload.left() < LENGTH_BYTES {
        return Err(malformed("is missing"));
    }
    let mut length = [0; LENGTH_BYTES as usize];
    payload.fill(&mut length)?;
    let left = payload.left();
    let bytes = u32::from_le_bytes(length);
    if u64::from(bytes) > MAX_BYTES {
        return Err(malformed(format!("has {bytes} bytes, and at most {MAX_BYTES} are read")));
    }
    if u64::from(bytes) > left {
        return Err(Error::TooLarge { name: "the manifest".to_owned(), bytes: bytes.into(), left });
    }
    let mut json = vec![0; bytes as usize];
    payload.fill(&mut json)?;
    Ok(SecretBytes::new(json))
}

fn check_sizes(fields: &Fields, mut left: u64) -> Result<()> {
    let database = ("the database".to_owned(), fields.db_size);
    let recordings = fields.recordings.iter();
    let recordings = recordings.map(|one| (format!("the recording {:?}", one.name), one.bytes));
    for (name, bytes) in std::iter::once(database).chain(recordings) {
        left = left.checked_sub(bytes).ok_or(Error::TooLarge { name, bytes, left })?;
    }
    match left {
        0 => Ok(()),
        more => Err(malformed(format!("leaves {more} bytes at the end unaccounted for"))),
    }
}

fn check_recordings(recordings: &[Recording]) -> Result<()> {
    if recordings.len() > MAX_RECORDINGS {
        return Err(Error::TooManyRecordings { found: recordings.len(), limit: MAX_RECORDINGS });
    }
    let mut names = HashSet::new();
    for Recording { name, .. } in recordings {
        let problem = match name.as_bytes() {
            [] => "is empty",
            b"." | b".." => "is a folder",
            bytes if bytes.contains(&b'/') || bytes.contains(&b'\\') => "leads to another folder",
            [drive, b':', ..] if drive.is_ascii_alphabetic() => "begins with a drive letter",
            bytes if bytes.len() > LONGEST_NAME => "is longer than 255 bytes",
            _ if name.contains(char::is_control) => "contains a control character",
            _ if !names.insert(name.to_lowercase()) => "occurs twice, perhaps in another letter case",
            _ => continue,
        };
        return Err(Error::RecordingName { name: name.clone(), problem });
    }
    Ok(())
}

fn malformed(problem: impl Into<String>) -> Error {
    Error::GebManifest(problem.into())
}
