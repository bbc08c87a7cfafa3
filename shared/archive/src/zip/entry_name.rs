//! Entry names: which are safe on every system, and which denote the same file if letter case is ignored.

use crate::error::{Error, Result};
use crate::limits::Limits;

/// Refuses a name that could lead outside the folder that it is unpacked in, on any system.
pub(crate) fn check_name(name: &str, limits: &Limits) -> Result<()> {
    if name.len() as u64 > limits.entry_name_bytes {
        let shown: String = name.chars().take(60).collect();
        let subject = format!("the name of the entry {shown:?}…");
        let limit = limits.entry_name_bytes;
        return Err(Error::Limit { subject, limit, unit: "bytes" });
    }
    let problem = match name.as_bytes() {
        [] => "is empty",
        [b'/', ..] => "is an absolute path",
        [drive, b':', ..] if drive.is_ascii_alphabetic() => "begins with a drive letter",
        bytes if bytes.contains(&b'\\') => "contains a backslash",
        bytes if bytes.contains(&0) => "contains a NUL",
        _ if name.contains(is_refused) => "contains a control character",
        _ if name.split('/').any(|part| part == "..") => "climbs out of its folder with \"..\"",
        _ if name.split('/').any(|part| part.is_empty() || part == ".") => "has an empty part",
        _ => return Ok(()),
    };
    Err(Error::Name { entry: name.to_owned(), problem })
}

/// Whether the character is refused at any position of a name.
pub(super) fn is_refused(character: char) -> bool {
    character == '\\' || character.is_control()
}

/// One spelling for all letter cases of a name. Upper case is applied first, because some characters (ſ, ß)
/// coincide with others only there.
pub(crate) fn fold_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}
