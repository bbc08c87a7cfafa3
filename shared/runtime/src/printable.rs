//! Untrusted text, made safe to print.
//!
//! A terminal obeys control characters; a reader is misled by characters that reorder text or are invisible. Both occur
//! in names, error messages and archives. Every text for people passes through here.

use std::borrow::Cow;

/// `text` on one line: every character that a terminal obeys or a reader cannot see becomes a visible escape (`\n`,
/// `\t`, `\u{202e}`). These are Unicode's control (Cc) and format (Cf) characters, line and paragraph separators, and
/// the characters that the standard displays as nothing (`Default_Ignorable_Code_Point`: zero-width characters,
/// fillers, variation selectors, tags). Text without them is returned unchanged, and backslashes are not escaped: the
/// escapes are for readers, not for parsers.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// [`printable`] for text of several lines: line feeds stay. Tabs do not, because they move the text after them.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_unseen(character))
}

fn escaped(text: &str, unseen: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if unseen(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal obeys the character or a reader cannot see it. The ranges are those of Unicode 17; ranges that
/// only `Default_Ignorable_Code_Point` lists include characters that later versions may assign.
pub(crate) fn is_unseen(character: char) -> bool {
    matches!(character,
        // Cc: C0, delete and C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Zero-width characters, directions, separators, invisible operators.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        // Tags and the supplement of variation selectors.
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

    use super::*;

    /// `Default_Ignorable_Code_Point` of DerivedCoreProperties.txt.
    const IGNORABLE: &[(u32, u32)] = &[
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfff8),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];

    fn expected(character: char) -> bool {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
        let listed = IGNORABLE.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)));
        let category = character.general_category();
        listed || matches!(category, Control | Format | LineSeparator | ParagraphSeparator)
    }

    #[test]
    fn every_character_of_unicode_is_judged_by_its_category() {
        for character in '\0'..=char::MAX {
            assert_eq!(is_unseen(character), expected(character), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn nothing_unseen_is_left_and_escapes_are_ascii() {
        for character in ('\0'..=char::MAX).filter(|character| is_unseen(*character)) {
            let text = format!("a{character}b");
            let shown = printable(&text);
            assert!(shown.starts_with("a\\") && shown.ends_with('b') && shown.is_ascii(), "{shown}");
        }
        let painted = "\x1b[2K\r\u{202e}ok\u{200b}\u{9b}8m\u{7}\u{e0041}";
        assert_eq!(printable(painted), r"\u{1b}[2K\r\u{202e}ok\u{200b}\u{9b}8m\u{7}\u{e0041}");
    }

    #[test]
    fn seen_text_stays_as_it_is() {
        for text in ["", "plain", r"C:\temp", "Zoë – „Schlüssel“", "日本語　鍵", "e\u{301}", "🔑"]
        {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn lines_stay_only_where_they_are_wanted() {
        assert_eq!(printable("a\nb\tc\r"), r"a\nb\tc\r");
        assert_eq!(printable_lines("a\nb\tc\r\u{2028}"), "a\nb\\tc\\r\\u{2028}");
    }
}
