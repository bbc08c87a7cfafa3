//! Writes the value forms of FORMAT.md as bytes.
//!
//! Every row of every export passes through here, so strings are scanned eight bytes at a time and copied in
//! runs. `serde_json` is not used: numbers keep their original digits.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends `text` as a JSON string, with quotes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first_to_escape(rest) {
        out.extend_from_slice(&rest[..at]);
        write_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a SQLite REAL: a number that always has a `.` or an exponent, or `{"$real":…}`.
///
/// NaN, which SQLite cannot store, becomes `null`, as in SQLite.
pub fn write_real(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"null");
    } else if value == f64::INFINITY {
        out.extend_from_slice(br#"{"$real":"inf"}"#);
    } else if value == f64::NEG_INFINITY {
        out.extend_from_slice(br#"{"$real":"-inf"}"#);
    } else {
        // Unlike Display, Debug keeps the `.0` and uses an exponent for large and small values.
        write!(out, "{value:?}").expect("writing to a Vec does not fail");
    }
}

/// Appends a SQLite BLOB: `{"$blob":"<base64>"}`.
pub fn write_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    write_tagged(out, br#"{"$blob":""#, bytes);
}

/// Appends a SQLite TEXT that is not valid UTF-8: `{"$text":"<base64>"}`.
pub fn write_text_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_tagged(out, br#"{"$text":""#, bytes);
}

/// Appends a number as printed by the server, or as a string if JSON has no such number (`NaN`).
pub fn write_number(out: &mut Vec<u8>, text: &str) {
    if is_number(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_string(out, text);
    }
}

/// Whether `text` is a number according to RFC 8259 §6.
pub fn is_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = split_digits(rest);
    if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => match split_digits(fraction) {
            ([], _) => return false,
            (_, rest) => rest,
        },
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            let (digits, rest) = split_digits(exponent);
            !digits.is_empty() && rest.is_empty()
        }
        _ => false,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn write_tagged(out: &mut Vec<u8>, opening: &[u8], bytes: &[u8]) {
    out.extend_from_slice(opening);
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("padded base64 takes four bytes for each three");
    out.extend_from_slice(br#""}"#);
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(br#"\""#),
        b'\\' => out.extend_from_slice(br"\\"),
        0x08 => out.extend_from_slice(br"\b"),
        0x0c => out.extend_from_slice(br"\f"),
        b'\n' => out.extend_from_slice(br"\n"),
        b'\r' => out.extend_from_slice(br"\r"),
        b'\t' => out.extend_from_slice(br"\t"),
        control => write!(out, "\\u{control:04x}").expect("writing to a Vec does not fail"),
    }
}

fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let clean = words.iter().take_while(|word| !has_escape(**word)).count() * 8;
    let at = bytes[clean..].iter().position(|byte| needs_escape(*byte))?;
    Some(clean + at)
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether any of eight bytes needs an escape, using the zero-byte test of "Bit Twiddling Hacks"
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>). Exact as a yes or no.
fn has_escape(word: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    control | quote | backslash != 0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_reads_back() {
        for code in 0..=0x17f_u32 {
            let character = char::from_u32(code).unwrap();
            for place in 0..17 {
                let text = format!("{}{character}{}", "a".repeat(place), "é".repeat(16 - place));
                let written = string(&text);
                assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
                assert!(!written.contains('\n'));
            }
        }
    }

    #[test]
    fn only_numbers_of_json_are_numbers() {
        for yes in ["0", "-0", "10", "1.10", "1e+300", "1e-07", "-0.5E3"] {
            assert!(is_number(yes.as_bytes()), "{yes}");
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(yes).is_ok());
        }
        for no in ["", "-", "01", "+1", ".5", "1.", "1e", "1e+", "NaN", "1 ", "1e5x", "Infinity"] {
            assert!(!is_number(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn reals_read_back_to_the_same_bits_and_never_look_like_integers() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(bits);
            if !value.is_finite() {
                continue;
            }
            let mut out = Vec::new();
            write_real(&mut out, value);
            assert!(is_number(&out));
            assert!(out.iter().any(|byte| matches!(byte, b'.' | b'e')));
            let back: f64 = String::from_utf8(out).unwrap().parse().unwrap();
            assert_eq!(back.to_bits(), value.to_bits());
        }
    }
}
