//! The path of a file whose name the ZIP cannot represent.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EntryKind, EntryRecord};

/// Maximum length of a path: the limit of Linux (`PATH_MAX` of limits.h, which counts a NUL).
const MOST_BYTES: usize = 4095;

/// A path below its file set: any bytes except NUL, with `/` between parts that are neither empty, `.` nor
/// `..`.
///
/// In JSON it is a string, or `{"$bytes":"…"}` (base64) if it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TruePath(Vec<u8>);

impl TruePath {
    /// `None` for bytes that do not form such a path.
    #[must_use]
    pub fn new(path: Vec<u8>) -> Option<Self> {
        let parts = path.split(|byte| *byte == b'/');
        let is_path = path.len() <= MOST_BYTES
            && !path.contains(&0)
            && parts.into_iter().all(|part| !matches!(part, b"" | b"." | b".."));
        is_path.then_some(Self(path))
    }

    /// As in the file system.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For people.
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl EntryRecord {
    /// The file set and the path of a file below it; `None` for an entry that is not a file of a set.
    #[must_use]
    pub fn file_path(&self) -> Option<(&str, TruePath)> {
        let (set, path) = self.file_path_bytes()?;
        Some((set, TruePath::new(path.to_owned())?))
    }

    pub(crate) fn file_path_bytes(&self) -> Option<(&str, &[u8])> {
        let below = self.name.strip_prefix("files/").filter(|_| self.kind == EntryKind::File)?;
        let (set, path) = below.split_once('/')?;
        Some((set, self.path.as_ref().map_or(path.as_bytes(), TruePath::as_bytes)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Bytes {
        #[serde(rename = "$bytes")]
        base64: String,
    },
}

impl Serialize for TruePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match str::from_utf8(&self.0) {
            Ok(text) => Form::Text(text.to_owned()),
            Err(_) => Form::Bytes { base64: STANDARD.encode(&self.0) },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TruePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into_bytes(),
            Form::Bytes { base64 } => STANDARD.decode(base64).map_err(D::Error::custom)?,
        };
        Self::new(bytes).ok_or_else(|| D::Error::custom("a path that leads out of its file set"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn paths_that_climb_or_have_no_place_are_refused() {
        for path in ["", "/a", "a/", "a//b", ".", "a/..", "./a", "a\0b", &"x".repeat(4096)] {
            assert_eq!(TruePath::new(path.into()), None, "{path:?}");
            assert!(serde_json::from_value::<TruePath>(path.into()).is_err(), "{path:?}");
        }
        assert!(serde_json::from_str::<TruePath>(r#"{"$bytes":"Li4="}"#).is_err());
    }

    #[test]
    fn text_is_text_and_other_bytes_are_base64() {
        for (path, json) in [(&b"..a/b\n"[..], r#""..a/b\n""#), (b"\xff/x", r#"{"$bytes":"/y94"}"#)] {
            let path = TruePath::new(path.to_vec()).unwrap();
            assert_eq!(serde_json::to_string(&path).unwrap(), json);
            assert_eq!(serde_json::from_str::<TruePath>(json).unwrap(), path);
        }
    }

    #[test]
    fn the_path_of_a_file_is_in_its_record_or_its_name() {
        let record = EntryRecord::new("files/set/a/b", EntryKind::File);
        let of = |record: &EntryRecord| record.file_path().map(|(set, path)| (set.to_owned(), path.0));
        assert_eq!(of(&record), Some(("set".to_owned(), b"a/b".to_vec())));
        let path = TruePath::new(b"a\n".to_vec());
        assert_eq!(of(&EntryRecord { path, ..record.clone() }), Some(("set".to_owned(), b"a\n".to_vec())));
        assert_eq!(of(&EntryRecord { kind: EntryKind::Other, ..record }), None);
        assert_eq!(of(&EntryRecord::new("files/set", EntryKind::File)), None);
    }
}
