//! The text of a value, piece by piece: only the requested part is decoded, and nothing is copied
//! unnecessarily.
//!
//! `serde_json` decodes a string as a whole: one long value in an archive would need its row's memory again,
//! and each look at it would take the time of the whole.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Maximum JSON bytes of one byte of text, as `\u0000`.
const ESCAPE: usize = 6;

/// How far the search for the next escape extends, so that a caller that needs a few characters does not wait
/// for all of them.
const NEAR: usize = 64 << 10;

/// The text of a value, limited in length.
#[derive(Debug, PartialEq, Eq)]
pub enum BoundedText<'a> {
    /// The whole text.
    Text(Cow<'a, str>),
    /// There is no text: NULL, or a value such as a BLOB.
    None,
    /// The text is longer than the limit.
    TooLong,
}

/// The text of a value of either engine, if it has at most `limit` bytes. A longer one is not decoded.
pub fn text_within(value: &RawValue, limit: usize) -> BoundedText<'_> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') if json.len() > limit.saturating_mul(ESCAPE).saturating_add(2) => BoundedText::TooLong,
        Some(b'"') => string_within(json, limit),
        Some(b't' | b'f' | b'-' | b'0'..=b'9') if json.len() > limit => BoundedText::TooLong,
        Some(b't' | b'f' | b'-' | b'0'..=b'9') => BoundedText::Text(Cow::Borrowed(json)),
        _ => BoundedText::None,
    }
}

/// The characters of a value's text, or of its JSON if it has no text. They are decoded on demand.
pub fn characters(value: &RawValue) -> impl Iterator<Item = char> {
    let json = value.get();
    let pieces = Pieces::of(json);
    let raw = if pieces.is_some() { "" } else { json };
    let decoded = pieces.into_iter().flatten().map_while(Result::ok).flat_map(Piece::characters);
    decoded.chain(raw.chars())
}

fn string_within(json: &str, limit: usize) -> BoundedText<'_> {
    let Some(pieces) = Pieces::of(json) else { return BoundedText::None };
    let mut text = Cow::Borrowed("");
    for piece in pieces {
        let Ok(piece) = piece else { return BoundedText::None };
        if text.len() + piece.len() > limit {
            return BoundedText::TooLong;
        }
        match piece {
            // The only piece of most values: it is borrowed.
            Piece::Plain(plain) => text += plain,
            Piece::Escaped(character) => text.to_mut().push(character),
        }
    }
    BoundedText::Text(text)
}

/// Refuses a string with an escape that represents no character.
pub(super) fn check_string(json: &str) -> Result<()> {
    Pieces::of(json).into_iter().flatten().try_for_each(|piece| piece.map(drop))
}

/// A part of a string.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    /// Unescaped characters.
    Plain(&'a str),
    /// The character that an escape represents.
    Escaped(char),
}

/// The parts of a string that `serde_json` has accepted.
pub(super) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    /// The parts of `json`, which includes its quotes; `None` if it is not a string.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        json.strip_prefix('"')?.strip_suffix('"').map(|rest| Self { rest })
    }
}

impl<'a> Piece<'a> {
    fn len(self) -> usize {
        match self {
            Self::Plain(plain) => plain.len(),
            Self::Escaped(character) => character.len_utf8(),
        }
    }

    fn characters(self) -> impl Iterator<Item = char> + use<'a> {
        let (plain, escaped) = match self {
            Self::Plain(plain) => (plain, None),
            Self::Escaped(character) => ("", Some(character)),
        };
        plain.chars().chain(escaped)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let near = &self.rest[..self.rest.floor_char_boundary(NEAR)];
        let plain = near.find('\\').unwrap_or(near.len());
        if plain > 0 {
            let (plain, rest) = self.rest.split_at(plain);
            self.rest = rest;
            return Some(Ok(Piece::Plain(plain)));
        }
        let Some((character, length)) = escape(self.rest) else {
            self.rest = "";
            return Some(Err(Error::Value("is a string with an escape that stands for no character")));
        };
        self.rest = &self.rest[length..];
        Some(Ok(Piece::Escaped(character)))
    }
}

/// The character of the escape at the beginning of `text`, and the length of the escape (RFC 8259 §7).
fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return unicode_escape(text),
    };
    Some((character, 2))
}

fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let first = code_unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, ESCAPE));
    }
    let pair = [first, code_unit(text.get(ESCAPE..)?)?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 2 * ESCAPE))
}

fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix(r"\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    /// `None` if it is too long, or not a text.
    fn within(json: &str, limit: usize) -> Option<String> {
        match text_within(&raw(json), limit) {
            BoundedText::Text(text) => Some(text.into_owned()),
            BoundedText::None | BoundedText::TooLong => None,
        }
    }

    #[test]
    fn strings_are_decoded_as_serde_json_does() {
        for json in [
            r#""""#,
            r#""plain""#,
            r#""a\"\\\/\b\f\n\r\tz""#,
            r#""\u0000\u001f\u00e9\uFFFF""#,
            r#""\ud83d\ude00x""#,
            r#""é\u00e9é""#,
        ] {
            let expected: String = serde_json::from_str(json).unwrap();
            assert_eq!(within(json, 1000).unwrap(), expected, "{json}");
            assert_eq!(characters(&raw(json)).collect::<String>(), expected, "{json}");
            check_string(json).unwrap();
        }
        for json in
            [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00\ud83d""#, r#""a\ud83d\n""#]
        {
            assert!(serde_json::from_str::<String>(json).is_err(), "{json}");
            assert!(check_string(json).is_err(), "{json}");
            assert_eq!(text_within(&raw(json), 1000), BoundedText::None, "{json}");
        }
    }

    #[test]
    fn a_text_ends_at_its_limit() {
        for (json, bytes) in
            [(r#""abc""#, 3), (r#""\u0061\u0061""#, 2), (r#""é""#, 2), ("12.50", 5), ("true", 4)]
        {
            assert!(within(json, bytes).is_some(), "{json}");
            assert_eq!(text_within(&raw(json), bytes - 1), BoundedText::TooLong, "{json}");
        }
        for json in ["null", r#"{"$blob":""}"#, "[1]"] {
            assert_eq!(text_within(&raw(json), 0), BoundedText::None, "{json}");
        }
    }

    #[test]
    fn values_without_a_text_are_named_by_their_json() {
        for json in ["null", "-1.5", r#"{"$blob":"AP8="}"#] {
            assert_eq!(characters(&raw(json)).collect::<String>(), json);
        }
    }
}
