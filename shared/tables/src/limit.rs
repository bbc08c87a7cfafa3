//! Checks row lengths before memory is spent on a row.
//!
//! A value can be a gigabyte long, and a row in an archive is limited to 256 MiB. So each engine is asked not to return
//! longer rows ([`ROW_BYTES`]), and a value is measured before it is converted to JSON, which can make it six times as long.

use strongroom_archive::Limits;

/// Maximum size of a row in an archive, in bytes.
pub(crate) const ROW_BYTES: u64 = Limits::V1.row_bytes;

/// Values below this length are written first and measured afterwards: as JSON, such a value has at most six times its
/// length, which is 12 MiB. So a row exceeds its limit only by little before it is refused.
const SMALL: usize = 2 << 20;
/// Values below this length are not checked individually. A table has at most 1,600 columns (SQLite: 2,000).
const TINY: usize = 4096;

/// Whether a row of `written` bytes has no room for `value`, whose JSON has `length` bytes.
pub(crate) fn exceeds(written: usize, value: &[u8], length: impl FnOnce(&[u8]) -> usize) -> bool {
    if value.len() < TINY {
        return false;
    }
    if value.len() < SMALL {
        return is_over(written);
    }
    is_over(written.saturating_add(length(value)))
}

/// Whether a row of `written` bytes is too long.
pub(crate) fn is_over(written: usize) -> bool {
    written as u64 > ROW_BYTES
}

/// Length of `text` as a JSON string (FORMAT.md, section 4), in bytes.
pub(crate) fn text_length(text: &[u8]) -> usize {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | 0x08 | 0x0c | b'\n' | b'\r' | b'\t' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.iter().map(escaped).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_measured_as_json() {
        for text in ["", "plain é", "\"\\\u{8}\u{c}\n\r\t", "\0\u{1f}\u{7f}"] {
            let mut json = Vec::new();
            strongroom_archive::json::write_string(&mut json, text);
            assert_eq!(text_length(text.as_bytes()), json.len(), "{text:?}");
        }
    }

    #[test]
    fn a_row_ends_at_the_limit() {
        let limit = usize::try_from(ROW_BYTES).unwrap_or(usize::MAX);
        assert!(!is_over(limit) && is_over(limit + 1));
        assert!(!exceeds(limit + 1, b"", text_length) && exceeds(limit + 1, &[b'x'; TINY], text_length));
        let large = vec![0; SMALL];
        assert!(!exceeds(limit - 6 * SMALL - 2, &large, text_length));
        assert!(exceeds(limit - 6 * SMALL - 1, &large, text_length));
    }
}
