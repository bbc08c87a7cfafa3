//! The keys of a Laravel application: `APP_KEY` and `APP_PREVIOUS_KEYS` in its environment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_crypto::SecretBytes;

use crate::error::{Error, Result};

const BYTES: usize = 32;
const NAME: &str = "APP_KEY";
const PREVIOUS: &str = "APP_PREVIOUS_KEYS";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The 32 bytes of an `APP_KEY`, and those of earlier keys. Its `Debug` shows none of them.
#[derive(Debug)]
pub struct AppKey {
    current: SecretBytes,
    previous: Vec<SecretBytes>,
}

impl AppKey {
    /// Reads the key alone (`base64:…`, or 32 plain characters as in old applications) or the application's
    /// whole `.env`, as Laravel reads it: with `export`, spaces, quotes and comments. In a `.env`, earlier
    /// keys come from `APP_PREVIOUS_KEYS`; those that are not keys of 256 bits cannot open anything and are
    /// ignored.
    ///
    /// # Errors
    /// If there is no key of 256 bits. The message repeats none of the input.
    pub fn parse(text: &SecretBytes) -> Result<Self> {
        let text = text.expose();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let lines = || text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let assigned = |name: &str| lines().find_map(|line| assigned(line, name));
        let alone = || {
            let mut filled = lines().filter(|line| !line.is_empty());
            filled.next().filter(|_| filled.next().is_none())
        };
        let value = assigned(NAME).or_else(alone).ok_or(Error::AppKey("there is no line APP_KEY=… in it"))?;
        let previous = assigned(PREVIOUS).map(value_of).unwrap_or_default().split(|byte| *byte == b',');
        let previous = previous.filter_map(|key| decode(key.trim_ascii()).ok()).collect();
        Ok(Self { current: decode(value_of(value))?, previous })
    }

    /// The keys that may have encrypted a value, newest first.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &SecretBytes> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Fingerprints that distinguish two secrets of one row without revealing them, one per key:
    /// HMAC-SHA-256, 32 hexadecimal digits. `row` identifies the secret's row, so equal secrets of two rows
    /// differ.
    pub fn fingerprints(&self, row: &str, secret: &SecretBytes) -> Vec<String> {
        self.candidates().filter_map(|key| fingerprint(key, row, secret)).collect()
    }
}

fn fingerprint(key: &SecretBytes, row: &str, secret: &SecretBytes) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    mac.update(b"strongroom/import/fingerprint/v1\n");
    mac.update(&(row.len() as u64).to_be_bytes());
    mac.update(row.as_bytes());
    mac.update(secret.expose());
    Some(hex::encode(&mac.finalize().into_bytes()[..16]))
}

/// The value that a line assigns to `name`: `APP_KEY=…`, `export APP_KEY = …`.
fn assigned<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let line = match line.strip_prefix(b"export") {
        Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => rest.trim_ascii_start(),
        _ => line,
    };
    let rest = line.strip_prefix(name.as_bytes())?.trim_ascii_start();
    Some(rest.strip_prefix(b"=")?.trim_ascii_start())
}

/// The value without its quotes, or without a trailing comment.
fn value_of(value: &[u8]) -> &[u8] {
    for quote in [b'"', b'\''] {
        if let Some(inner) = value.strip_prefix(&[quote])
            && let Some(end) = inner.iter().position(|byte| *byte == quote)
        {
            return &inner[..end];
        }
    }
    let comment = value.windows(2).position(|pair| pair[0].is_ascii_whitespace() && pair[1] == b'#');
    comment.map_or(value, |start| value[..start].trim_ascii_end())
}

fn decode(value: &[u8]) -> Result<SecretBytes> {
    let key = match value.strip_prefix(b"base64:") {
        Some(digits) => STANDARD.decode(digits).map_err(|_| Error::AppKey("its base64 is broken"))?,
        None => value.to_vec(),
    };
    let key = SecretBytes::new(key);
    match key.expose().len() {
        BYTES => Ok(key),
        16 => Err(Error::AppKey("it has 128 bits, and only AES-256 is read")),
        0 => Err(Error::AppKey("it is empty")),
        _ => Err(Error::AppKey("it does not have 32 bytes")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TEXT: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn parse(text: &str) -> Result<AppKey> {
        AppKey::parse(&SecretBytes::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_key_is_read_in_every_form_that_operators_have() {
        let bytes: Vec<u8> = (0..32).collect();
        let env = format!("APP_NAME=PromptGate\nAPP_KEY=\"{TEXT}\"\r\nAPP_PREVIOUS_KEYS=\n");
        for text in [TEXT.to_owned(), format!("{TEXT}\r\n\n"), format!("APP_KEY={TEXT}"), env] {
            assert_eq!(parse(&text).unwrap().current.expose(), bytes, "{text}");
        }
        let plain = "0123456789abcdef0123456789abcdef";
        assert_eq!(parse(plain).unwrap().current.expose(), plain.as_bytes());
    }

    #[test]
    fn a_line_is_read_as_laravel_reads_it() {
        let bytes: Vec<u8> = (0..32).collect();
        for line in [
            format!("export APP_KEY={TEXT}"),
            format!("export\tAPP_KEY = \"{TEXT}\" # made in May"),
            format!("APP_KEY ={TEXT}   # made in May"),
            format!("APP_KEY='{TEXT}'#x"),
            format!("\u{feff}APP_KEY={TEXT}\r"),
            format!("\u{feff}{TEXT}\r\n"),
            format!("# APP_KEY=old\nAPP_KEY_OLD=x\n  APP_KEY={TEXT}"),
        ] {
            assert_eq!(parse(&line).unwrap().current.expose(), bytes, "{line}");
        }
        assert!(parse(&format!("exportAPP_KEY={TEXT}\nA=1")).is_err());
    }

    #[test]
    fn earlier_keys_follow_the_current_one() {
        let earlier = TEXT.replace("AAEC", "AAED");
        let env = format!("export APP_PREVIOUS_KEYS=\"{earlier}, base64:broken!,,short\"\nAPP_KEY={TEXT}\n");
        let key = parse(&env).unwrap();
        assert_eq!(key.candidates().count(), 2);
        assert_eq!(key.candidates().nth(1).unwrap().expose(), parse(&earlier).unwrap().current.expose());
    }

    #[test]
    fn fingerprints_tell_rows_secrets_and_keys_apart() {
        let secret = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
        let earlier = TEXT.replace("AAEC", "AAED");
        let (old, new) = (
            parse(&earlier).unwrap(),
            parse(&format!("APP_KEY={TEXT}\nAPP_PREVIOUS_KEYS={earlier}")).unwrap(),
        );
        let was = old.fingerprints("row", &secret("sk"));
        assert_eq!(new.fingerprints("row", &secret("sk"))[1..], was);
        assert_eq!(was[0].len(), 32);
        for other in [old.fingerprints("row2", &secret("sk")), old.fingerprints("row", &secret("sk2"))] {
            assert_ne!(other, was);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let env = format!("APP_NAME=secretish\nKEY={TEXT}\n");
        for text in ["", "base64:", "secretish", "base64:secretish!", "base64:AAECAwQFBgcICQoLDA0ODw==", &env]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("this is not a Laravel APP_KEY: "), "{error}");
            assert!(!error.contains("secretish"), "{error}");
        }
    }
}
