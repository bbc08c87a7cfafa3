//! Secrets come from a file, standard input or a hidden prompt, never from an argument: every process can see
//! arguments.

mod guessing;
mod prompt;

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use strongroom_age::Passphrase;
use strongroom_crypto::SecretBytes;

use crate::input;
use crate::output::{self, printable};

/// Maximum size of a secret in a vault.
const MAX_BYTES: usize = 65_536;

/// Bytes with which some editors begin a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes with which some shells begin a text in UTF-16.
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Reads a new secret from `path`, or from standard input for `-`; at a terminal, it must be typed twice. Exactly one
/// trailing line feed of a text is dropped, because editors and `echo` add it. Everything else is kept, with a warning
/// if it looks like an accident. Bytes that are not UTF-8 are all kept: the last byte of one binary key in 256 is a line
/// feed.
///
/// # Errors
/// When it cannot be read, is empty, or is longer than 65,536 bytes. The message repeats nothing of it.
pub(crate) fn read(path: &Path) -> Result<SecretBytes> {
    let secret = read_bytes(path, prompt::Kind::NewSecret)?;
    for accident in accidents(secret.expose()) {
        output::message(&format!("warning: {} {accident}, which is stored as part of it", named(path)));
    }
    Ok(secret)
}

/// Reads text that opens something, such as a passphrase: as [`read`], but without the byte order mark and the carriage
/// return that some editors add.
///
/// # Errors
/// As [`read`]; also for text that is not UTF-8.
pub(crate) fn text(path: &Path) -> Result<SecretBytes> {
    text_of(path, prompt::Kind::Known)
}

/// The passphrase in `path`, read as by [`text`].
pub(crate) fn passphrase(path: &Path) -> Result<Passphrase> {
    Ok(Passphrase::new(utf8(&text(path)?)?)?)
}

/// A new passphrase, which will protect something.
///
/// # Errors
/// As [`text`]; also for one that is easily guessed.
pub(crate) fn new_passphrase(path: &Path) -> Result<Passphrase> {
    Ok(Passphrase::new(&new_passphrase_text(path)?)?)
}

/// [`new_passphrase`] as text, for a call that carries it.
pub(crate) fn new_passphrase_text(path: &Path) -> Result<String> {
    let secret = text_of(path, prompt::Kind::NewPassphrase)?;
    let text = utf8(&secret)?;
    guessing::refuse_guessable(text)?;
    Ok(text.to_owned())
}

fn text_of(path: &Path, kind: prompt::Kind) -> Result<SecretBytes> {
    let secret = read_bytes(path, kind)?;
    bare_text(secret.expose()).with_context(|| named(path)).map(|text| SecretBytes::new(text.to_vec()))
}

fn utf8(secret: &SecretBytes) -> Result<&str> {
    std::str::from_utf8(secret.expose()).ok().context("the passphrase is not UTF-8 text")
}

/// Characters at either end of a secret that nobody sees in an editor.
fn accidents(secret: &[u8]) -> Vec<&'static str> {
    let mut found = Vec::new();
    if secret.starts_with(BYTE_ORDER_MARK) {
        found.push("begins with a byte order mark");
    }
    if UTF16_MARKS.iter().any(|mark| secret.starts_with(mark)) {
        found.push("looks like UTF-16 text (it begins with that byte order mark)");
    }
    match secret.last() {
        Some(b'\r') => found.push("ends with a carriage return"),
        Some(b'\n') if std::str::from_utf8(secret).is_err() => {
            found.push("is not UTF-8 text and ends with a line feed");
        }
        Some(b'\n') => found.push("ends with another line feed"),
        Some(b' ' | b'\t') => found.push("ends with a space or tab"),
        _ => {}
    }
    if matches!(secret.first(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        found.push("begins with white space");
    }
    found
}

fn bare_text(bytes: &[u8]) -> Result<&[u8]> {
    let is_utf16 = UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark));
    ensure!(!is_utf16, "it is UTF-16 text; save it as UTF-8");
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    ensure!(!text.is_empty(), "it is empty");
    Ok(text)
}

fn named(path: &Path) -> String {
    if input::is_stdin(path) {
        return "the secret on standard input".to_owned();
    }
    format!("the secret in {}", printable(&path.to_string_lossy()))
}

fn read_bytes(path: &Path, kind: prompt::Kind) -> Result<SecretBytes> {
    if input::is_stdin(path) {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return prompt::ask(kind);
        }
        input::take_stdin()?;
        return read_from(stdin.lock()).with_context(|| named(path));
    }
    let file = File::open(path).with_context(|| named(path))?;
    read_from(file).with_context(|| named(path))
}

fn read_from(input: impl Read) -> Result<SecretBytes> {
    // Allocated with its final capacity: growing would leave copies of the secret behind.
    let mut bytes = Vec::with_capacity(MAX_BYTES + 2);
    input.take(MAX_BYTES as u64 + 2).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') && std::str::from_utf8(&bytes).is_ok() {
        bytes.pop();
    }
    if bytes.is_empty() {
        bail!("it is empty");
    }
    if bytes.len() > MAX_BYTES {
        bail!("it is longer than {MAX_BYTES} bytes, the most that a credential holds");
    }
    Ok(SecretBytes::new(bytes))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_line_feed_is_dropped() {
        for (input, secret) in [("key", "key"), ("key\n", "key"), ("key\n\n", "key\n"), ("key\r\n", "key\r")]
        {
            assert_eq!(read_from(input.as_bytes()).unwrap().expose(), secret.as_bytes(), "{input:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_all_kept() {
        for secret in [&b"\xffkey\n"[..], b"\xfe\xff\0k\0\n", b"k\xe9y\n"] {
            assert_eq!(read_from(secret).unwrap().expose(), secret);
            assert!(accidents(secret).contains(&"is not UTF-8 text and ends with a line feed"), "{secret:?}");
        }
        for last in 0..=u8::MAX {
            let key = [&[0xff; 31][..], &[last]].concat();
            assert_eq!(read_from(key.as_slice()).unwrap().expose(), key);
        }
    }

    #[test]
    fn the_limits_are_exact() {
        let mut longest = vec![b'x'; MAX_BYTES];
        assert_eq!(read_from(longest.as_slice()).unwrap().expose().len(), MAX_BYTES);
        longest.push(b'\n');
        assert_eq!(read_from(longest.as_slice()).unwrap().expose().len(), MAX_BYTES);
        longest.push(b'\n');
        assert!(read_from(longest.as_slice()).unwrap_err().to_string().contains("65536"));
        assert!(read_from(std::io::repeat(b'x')).is_err());
        assert!(read_from("\n".as_bytes()).is_err());
    }

    #[test]
    fn what_an_editor_hides_is_noticed() {
        for (secret, expected) in [
            (&b"key\r"[..], "ends with a carriage return"),
            (b"\xef\xbb\xbfkey", "begins with a byte order mark"),
            (b"\xff\xfek\0e\0y\0", "looks like UTF-16 text (it begins with that byte order mark)"),
            (b"key\n", "ends with another line feed"),
            (b"key ", "ends with a space or tab"),
            (b"\tkey", "begins with white space"),
        ] {
            assert_eq!(accidents(secret), [expected]);
        }
        assert_eq!(accidents(b"\xef\xbb\xbfkey\r").len(), 2);
        for fine in [&b"key"[..], b"a b\r\nc", b"\x00\xff", b"{\n}"] {
            assert!(accidents(fine).is_empty(), "{fine:?}");
        }
    }

    #[test]
    fn text_is_what_was_typed() {
        for (written, typed) in
            [("pass", "pass"), ("pass\r", "pass"), ("\u{feff}pass\r", "pass"), ("a b ", "a b ")]
        {
            assert_eq!(bare_text(written.as_bytes()).unwrap(), typed.as_bytes(), "{written:?}");
        }
        assert!(bare_text("\u{feff}\r".as_bytes()).unwrap_err().to_string().contains("is empty"));
        assert!(bare_text(b"\xff\xfep\0").unwrap_err().to_string().contains("save it as UTF-8"));
    }
}
