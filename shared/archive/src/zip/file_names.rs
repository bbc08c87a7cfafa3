//! Converts a table's name, which can be any text, to a file name that every file system accepts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::entry_name::fold_case;

/// The longest file stem before a `~2` is appended, in bytes.
const LONGEST: usize = 180;
/// `~` and eight hex digits.
const HASH_SUFFIX: usize = 9;

/// Assigns the `<file>` part of `tables/<file>.json`, unique within one archive. FORMAT.md §3.
#[derive(Debug, Default)]
pub struct EntryNames {
    stems: HashMap<String, String>,
    taken: HashSet<String>,
}

impl EntryNames {
    /// The file stem of `table`: the same for each call, and different from that of any other table, even
    /// without regard to letter case.
    pub fn for_table(&mut self, table: &str) -> String {
        if let Some(stem) = self.stems.get(table) {
            return stem.clone();
        }
        let wanted = shorten(Cow::Owned(escape(table)), LONGEST, table.as_bytes());
        let mut stem = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(fold_case(&stem)) {
            stem = format!("{wanted}~{number}");
            number += 1;
        }
        self.stems.insert(table.to_owned(), stem.clone());
        stem
    }
}

fn escape(table: &str) -> String {
    if table.is_empty() {
        return "%".to_owned();
    }
    let device = is_device(table);
    let mut out = String::with_capacity(table.len());
    for (at, character) in table.char_indices() {
        let first = at == 0;
        let last = at + character.len_utf8() == table.len();
        let edge = (first || last) && matches!(character, '.' | ' ');
        if edge || (first && device) || !is_plain(character) {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(character);
        }
    }
    out
}

fn is_plain(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-' | ' ');
    }
    let invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}');
    !invisible && !character.is_control() && !character.is_whitespace()
}

/// Whether Windows would open a device for a file of this name
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device(table: &str) -> bool {
    let before_dot = table.split('.').next().unwrap_or_default();
    let name = before_dot.trim_end_matches(' ').to_ascii_lowercase();
    if matches!(name.as_str(), "con" | "prn" | "aux" | "nul") {
        return true;
    }
    let port = name.strip_prefix("com").or(name.strip_prefix("lpt"));
    let mut port = port.unwrap_or_default().chars();
    let digit = port.next();
    port.next().is_none() && digit.is_some_and(|c| matches!(c, '0'..='9' | '¹' | '²' | '³'))
}

/// Cuts a name to `longest` bytes and appends the hash of `full`, to distinguish it from others with the same
/// beginning.
pub(super) fn shorten(name: Cow<'_, str>, longest: usize, full: &[u8]) -> String {
    if name.len() <= longest {
        return name.into_owned();
    }
    let mut end = name.floor_char_boundary(longest.saturating_sub(HASH_SUFFIX));
    // The cut may be inside a `%XX`.
    if let Some(percent) = name[..end].rfind('%')
        && end - percent < 3
    {
        end = percent;
    }
    let hash = hex::encode(&Sha256::digest(full)[..4]);
    format!("{}~{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_table_keeps_its_file_and_cases_do_not_meet() {
        let mut names = EntryNames::default();
        assert_eq!(names.for_table("Users"), "Users");
        assert_eq!(names.for_table("users"), "users~2");
        assert_eq!(names.for_table("USERS"), "USERS~3");
        assert_eq!(names.for_table("users"), "users~2");
        assert_eq!(names.for_table("straße"), "straße");
        assert_eq!(names.for_table("STRASSE"), "STRASSE~2");
    }

    #[test]
    fn long_names_are_cut_between_characters_and_stay_apart() {
        let mut names = EntryNames::default();
        for unit in ["x", "é", "日", "🔑", "/", "\u{202e}"] {
            for length in 50..80 {
                let tables = ["a", "b"].map(|end| format!("{}{end}", unit.repeat(length * 3)));
                let stems = tables.map(|table| names.for_table(&table));
                assert_ne!(stems[0], stems[1]);
                for stem in stems {
                    assert!(stem.len() <= LONGEST, "{stem}");
                    let cut = stem.split('~').next().unwrap_or_default();
                    let percent = cut.rfind('%').map_or(3, |at| cut.len() - at);
                    assert!(percent >= 3, "{stem}");
                }
            }
        }
    }

    #[test]
    fn devices_are_told_from_names_that_begin_like_them() {
        for device in ["con", "NUL", "com1", "lpt0.txt", "aux .x", "COM¹"] {
            assert!(is_device(device), "{device}");
        }
        for table in ["cons", "com", "com10", "xcon", "", "lptx"] {
            assert!(!is_device(table), "{table}");
        }
    }
}
