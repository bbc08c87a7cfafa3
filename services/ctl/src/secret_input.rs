//! Secrets come from a file or standard input, never from an argument: those are visible to every process.

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use strongroom_age::Passphrase;
use strongroom_crypto::SecretBytes;

use crate::output;

/// What a vault takes at most.
const MAX_BYTES: usize = 65_536;

/// Reads the secret in `path`, or standard input for `-`. Exactly one trailing line feed is dropped: editors
/// and `echo` add it.
///
/// # Errors
/// When it cannot be read, is empty, or longer than 65,536 bytes. The message repeats nothing of it.
pub(crate) fn read(path: &Path) -> Result<SecretBytes> {
    if path == Path::new("-") {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            output::message("type the secret, then press return and ctrl-d");
        }
        return read_from(stdin.lock()).context("the secret on standard input");
    }
    let named = || format!("the secret in {}", path.display());
    let file = File::open(path).with_context(named)?;
    read_from(file).with_context(named)
}

/// The passphrase in `path`, as [`read`] reads.
pub(crate) fn passphrase(path: &Path) -> Result<Passphrase> {
    Ok(Passphrase::new(text_of(&read(path)?)?)?)
}

/// The same for a call that carries it, without the carriage return of some editors.
pub(crate) fn passphrase_text(path: &Path) -> Result<String> {
    let secret = read(path)?;
    let text = text_of(&secret)?;
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn text_of(secret: &SecretBytes) -> Result<&str> {
    std::str::from_utf8(secret.expose()).ok().context("the passphrase is not UTF-8 text")
}

fn read_from(input: impl Read) -> Result<SecretBytes> {
    // With its final capacity from the start: growing would leave copies of the secret behind.
    let mut bytes = Vec::with_capacity(MAX_BYTES + 2);
    input.take(MAX_BYTES as u64 + 2).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.is_empty() {
        bail!("is empty");
    }
    if bytes.len() > MAX_BYTES {
        bail!("is longer than {MAX_BYTES} bytes, the most that a credential holds");
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
}
