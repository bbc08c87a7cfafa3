//! Files that hold keys, tokens, or addresses with passwords.

use std::path::Path;

use crate::error::{Error, Result};

/// How some editors begin a text in UTF-8; no part of the text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file, without a byte order mark. The caller wipes what it does not keep.
///
/// # Errors
/// [`Error::File`] when it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map(without_mark).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// In place: a copy would be one more secret to wipe.
fn without_mark(mut text: String) -> String {
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod byte_order_mark_tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (written, read) in [("\u{feff}key\r\n", "key\r\n"), ("key", "key"), ("\u{feff}", "")] {
            std::fs::write(file.path(), written).unwrap();
            assert_eq!(read_text(file.path()).unwrap(), read);
        }
    }
}
