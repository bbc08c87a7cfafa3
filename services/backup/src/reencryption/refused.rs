//! Values that do not open: how many there are, and some of their rows. Neither a value nor a piece of one is kept.

use strongroom_api::backup::v1::reencrypted_column::Row;
use strongroom_tables::reencrypt::FoundValue;

/// Rows that a column names.
const NAMED_ROWS: usize = 100;

/// Those of one column.
#[derive(Default, Clone)]
pub(super) struct Refused {
    pub(super) count: u64,
    /// Those that a census counts too.
    pub(super) counted: u64,
    pub(super) rows: Vec<Row>,
}

impl Refused {
    /// `text`: the value, if it is one.
    pub(super) fn add(&mut self, value: &FoundValue, text: &str, reason: &str) {
        self.count += 1;
        self.counted += u64::from(value.is_counted);
        if self.rows.len() < NAMED_ROWS {
            let kid = kid_of(text).unwrap_or_default().to_owned();
            self.rows.push(Row { id: value.key.to_string(), kid, reason: reason.to_owned() });
        }
    }
}

/// The version that a value names.
fn kid_of(text: &str) -> Option<&str> {
    let (kid, _) = text.strip_prefix("srv1.")?.split_once('.')?;
    is_kid(kid).then_some(kid)
}

/// Whether it can be shown: something else may be a piece of a value that nobody has sealed.
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
