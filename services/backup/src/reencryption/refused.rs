//! Values that do not open: their number, and some of their rows. Neither a value nor a part of one is kept.

use strongroom_api::backup::v1::reencrypted_column::Row;
use strongroom_tables::reencrypt::FoundValue;

/// Maximum number of rows named for a column.
const NAMED_ROWS: usize = 100;

/// The refused values of one column.
#[derive(Default, Clone)]
pub(super) struct Refused {
    pub(super) count: u64,
    /// Number of those that a census counts too.
    pub(super) counted: u64,
    pub(super) rows: Vec<Row>,
}

impl Refused {
    /// `text` is the value, or empty if it is not a text.
    pub(super) fn add(&mut self, value: &FoundValue, text: &str, reason: &str) {
        self.count += 1;
        self.counted += u64::from(value.is_counted);
        if self.rows.len() < NAMED_ROWS {
            let kid = kid_of(text).unwrap_or_default().to_owned();
            self.rows.push(Row { id: value.key.to_string(), kid, reason: reason.to_owned() });
        }
    }
}

/// The key version that a value names.
fn kid_of(text: &str) -> Option<&str> {
    let (kid, _) = text.strip_prefix("srv1.")?.split_once('.')?;
    is_kid(kid).then_some(kid)
}

/// Whether it can be shown: any other text may be a part of a value that was never sealed.
pub(super) fn is_kid(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_of_a_value_passes_for_a_version() {
        for (text, kid) in [
            ("srv1.0123456789abcdef.AAAA", Some("0123456789abcdef")),
            ("srv1.0123456789ABCDEF.AAAA", None),
            ("srv1.my secret is here.x", None),
            ("srv1.0123456789abcdef", None),
            ("plain", None),
        ] {
            assert_eq!(kid_of(text), kid, "{text}");
        }
    }
}
