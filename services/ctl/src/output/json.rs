//! JSON that a terminal can show: characters that it would obey, or that a reader cannot see, become JSON's own
//! escapes, so a program reads the same data.

use std::borrow::Cow;

use strongroom_runtime::printable_lines;

/// `json` with these characters as `\uXXXX`. They occur only in strings; line feeds between values stay.
pub(super) fn shown(json: &str) -> Cow<'_, str> {
    if matches!(printable_lines(json), Cow::Borrowed(_)) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        let mut place = [0; 4];
        if matches!(printable_lines(character.encode_utf8(&mut place)), Cow::Borrowed(_)) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            shown.push_str(&format!("\\u{unit:04x}"));
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn another_spelling_is_the_same_data() {
        let value = json!({"a\u{202e}": "\u{7f}\u{9b}8m\u{feff}\u{e0041}\u{1b}\r\n\tü🔑", "b": ["x"]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let shown = shown(&text);
            assert!(matches!(printable_lines(&shown), Cow::Borrowed(_)), "{shown}");
            assert!(shown.contains("\\u202e") && shown.contains("\\udb40\\udc41"), "{shown}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn seen_text_is_not_copied() {
        assert!(matches!(shown("{\n  \"a\": \"ü\"\n}\n"), Cow::Borrowed(_)));
    }
}
