//! Converts a file's path, which can be any bytes, to a name allowed by section 2 of FORMAT.md. FORMAT.md
//! §7.1.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::entry_name::{check_name, fold_case, is_refused};
use super::file_names::shorten;
use crate::limits::Limits;
use crate::manifest::TruePath;

/// Bytes of the limit reserved for a suffix: `~` and the digits of a number, which is at most the number of
/// entries.
const NUMBER_SUFFIX: usize = 8;

/// Assigns names to files, unique within one archive, however many of them collide.
#[derive(Debug, Default)]
pub(crate) struct FilePaths {
    /// The next number to try, by the folded name already taken. Without it, every search would begin at 2.
    numbers: HashMap<String, u64>,
}

impl FilePaths {
    /// The entry name for the file `path` of `set`; `taken` are the folded names already in the archive.
    pub(crate) fn name(
        &mut self,
        set: &str,
        path: &TruePath,
        limits: &Limits,
        taken: &HashSet<String>,
    ) -> String {
        let folder = format!("files/{set}/");
        let is_free = |name: &str| !taken.contains(&fold_case(name));
        if let Ok(text) = str::from_utf8(path.as_bytes()) {
            let name = format!("{folder}{text}");
            if check_name(&name, limits).is_ok() && is_free(&name) {
                return name;
            }
        }
        let limit = usize::try_from(limits.entry_name_bytes).unwrap_or(usize::MAX);
        let longest = limit.saturating_sub(folder.len() + NUMBER_SUFFIX);
        let short = shorten(encode(path.as_bytes()), longest, path.as_bytes());
        self.free(format!("{folder}{short}"), is_free)
    }

    fn free(&mut self, wanted: String, is_free: impl Fn(&str) -> bool) -> String {
        if is_free(&wanted) {
            return wanted;
        }
        let number = self.numbers.entry(fold_case(&wanted)).or_insert(2);
        loop {
            let name = format!("{wanted}~{number}");
            *number += 1;
            if is_free(&name) {
                return name;
            }
        }
    }
}

fn encode(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(path)
        && !text.contains(is_refused)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(path.len() + 2);
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_refused(character) || character == '%' {
                percent(&mut out, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(character);
            }
        }
        percent(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

fn percent(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
