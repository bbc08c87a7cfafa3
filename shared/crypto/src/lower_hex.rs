//! Hexadecimal text forms: digits 0-9 and a-f only, so each value has exactly one text.

/// Whether `text` consists of exactly `digits` lower-case hexadecimal digits.
#[must_use]
pub fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_length_count() {
        assert!(is_lower_hex("09af", 4) && is_lower_hex("", 0));
        for text in ["09aF", "09ag", "09a", "09af0", "+9af", "09\u{e9}"] {
            assert!(!is_lower_hex(text, 4), "{text}");
        }
    }
}
