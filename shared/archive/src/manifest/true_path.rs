//! The path of a file that a ZIP cannot hold under that name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes of a path: Linux takes no longer one (limits.h).
const MOST_BYTES: usize = 4096;

/// A path below its file set: any bytes but NUL, with `/` between parts that are neither empty, `.` nor `..`.
///
/// In JSON it is a string, or `{"$bytes":"…"}` (base64) where it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TruePath(Vec<u8>);

impl TruePath {
    /// `None` for what is no such path.
    #[must_use]
    pub fn new(path: Vec<u8>) -> Option<Self> {
        let parts = path.split(|byte| *byte == b'/');
        let is_path = path.len() <= MOST_BYTES
            && !path.contains(&0)
            && parts.into_iter().all(|part| !matches!(part, b"" | b"." | b".."));
        is_path.then_some(Self(path))
    }

    /// As the file system has it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
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
        let form = match String::from_utf8(self.0.clone()) {
            Ok(text) => Form::Text(text),
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
        Self::new(bytes).ok_or_else(|| D::Error::custom("a path that does not stay below its file set"))
    }
}
