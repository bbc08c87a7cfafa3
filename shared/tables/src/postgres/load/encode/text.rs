//! Texts in COPY format.
//! <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format"

use super::Problem;

const NUL: Problem = "it contains the character NUL, which PostgreSQL accepts in no text";
const ESCAPE: Problem = "it is a string with an escape that stands for no character";

/// Appends the text of a JSON string, given without its quotes.
pub(super) fn write_string(out: &mut Vec<u8>, mut json: &[u8]) -> Result<(), Problem> {
    while let Some(at) = first(json, b'\\') {
        let (plain, escape) = json.split_at(at);
        out.extend_from_slice(plain);
        json = match escape {
            // Escapes that are the same in both.
            [b'\\', same @ (b'\\' | b'b' | b'f' | b'n' | b'r' | b't'), rest @ ..] => {
                out.extend_from_slice(&[b'\\', *same]);
                rest
            }
            [b'\\', plain @ (b'"' | b'/'), rest @ ..] => {
                out.push(*plain);
                rest
            }
            [b'\\', b'u', rest @ ..] => write_character(out, rest)?,
            _ => return Err(ESCAPE),
        };
    }
    out.extend_from_slice(json);
    Ok(())
}

/// Appends the character whose `\u` escape starts `json` (without the `\u`), and returns the rest.
fn write_character<'a>(out: &mut Vec<u8>, json: &'a [u8]) -> Result<&'a [u8], Problem> {
    let (first, rest) = unit(json).ok_or(ESCAPE)?;
    let (units, rest) = match (first, rest) {
        (0xd800..=0xdbff, [b'\\', b'u', low @ ..]) => {
            let (second, rest) = unit(low).ok_or(ESCAPE)?;
            ([first, second], rest)
        }
        _ => ([first, 0], rest),
    };
    let mut characters = char::decode_utf16(units);
    let character = characters.next().and_then(Result::ok).ok_or(ESCAPE)?;
    write_bytes(out, character.encode_utf8(&mut [0; 4]).as_bytes())?;
    Ok(rest)
}

/// Parses four hexadecimal digits.
fn unit(json: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = json.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Appends text that has no escapes, and escapes it for COPY.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Problem> {
    for byte in bytes {
        match byte {
            0 => return Err(NUL),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            other => out.push(*other),
        }
    }
    Ok(())
}

/// Appends two hexadecimal digits for each byte.
pub(super) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    out.reserve(bytes.len() * 2);
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// The first position of `wanted`. Most texts are long and do not contain it, so eight bytes are checked at a time
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
fn first(bytes: &[u8], wanted: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let lacks = |word: &[u8; 8]| {
        let zero = u64::from_le_bytes(*word) ^ (ONES * u64::from(wanted));
        zero.wrapping_sub(ONES) & !zero & HIGHS == 0
    };
    let (words, _) = bytes.as_chunks::<8>();
    let clean = words.iter().take_while(|word| lacks(word)).count() * 8;
    let at = bytes.get(clean..)?.iter().position(|byte| *byte == wanted)?;
    Some(clean + at)
}
