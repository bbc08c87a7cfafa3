//! The key of a Laravel application: what its environment calls `APP_KEY`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_crypto::SecretBytes;

use crate::error::{Error, Result};

const BYTES: usize = 32;
const NAME: &[u8] = b"APP_KEY=";

/// The 32 bytes behind an `APP_KEY`. Its `Debug` shows none of them.
#[derive(Debug)]
pub struct AppKey(SecretBytes);

impl AppKey {
    /// Reads the key alone (`base64:…`, or 32 plain characters as old applications have it) or the application's
    /// whole `.env`.
    ///
    /// # Errors
    /// When there is no key of 256 bits. The message repeats nothing of what was read.
    pub fn parse(text: &SecretBytes) -> Result<Self> {
        let mut lines = text.expose().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let line = lines.clone().find_map(|line| line.strip_prefix(NAME));
        let alone = || lines.next().filter(|_| lines.all(<[u8]>::is_empty));
        let value = line.or_else(alone).ok_or(Error::AppKey("there is no line APP_KEY=… in it"))?;
        let key = match unquoted(value).strip_prefix(b"base64:") {
            Some(digits) => STANDARD.decode(digits).map_err(|_| Error::AppKey("its base64 is broken"))?,
            None => unquoted(value).to_vec(),
        };
        let key = SecretBytes::new(key);
        match key.expose().len() {
            BYTES => Ok(Self(key)),
            16 => Err(Error::AppKey("it has 128 bits, and only AES-256 is read")),
            0 => Err(Error::AppKey("it is empty")),
            _ => Err(Error::AppKey("it does not have 32 bytes")),
        }
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = |quote: &[u8]| value.strip_prefix(quote)?.strip_suffix(quote);
    inner(b"\"").or_else(|| inner(b"'")).unwrap_or(value)
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
            assert_eq!(parse(&text).unwrap().expose(), bytes, "{text}");
        }
        let plain = "0123456789abcdef0123456789abcdef";
        assert_eq!(parse(plain).unwrap().expose(), plain.as_bytes());
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
