//! A recipient stanza: its line of arguments and its body in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Characters in a full line of a body; a shorter one ends it.
pub(crate) const COLUMNS: usize = 64;

/// How one recipient gets at the file key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stanza {
    /// What kind of recipient; types that are not known are skipped when opening.
    pub(crate) kind: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Stanza {
    pub(crate) fn new(kind: &str, arguments: Vec<String>, body: Vec<u8>) -> Self {
        Self { kind: kind.to_owned(), arguments, body }
    }

    /// Appends the stanza's lines. An empty line ends a body whose last line is full.
    pub(crate) fn write(&self, header: &mut String) {
        header.push_str("-> ");
        header.push_str(&self.kind);
        for argument in &self.arguments {
            header.push(' ');
            header.push_str(argument);
        }
        header.push('\n');
        let mut body = STANDARD_NO_PAD.encode(&self.body);
        while body.len() >= COLUMNS {
            let rest = body.split_off(COLUMNS);
            header.push_str(&body);
            header.push('\n');
            body = rest;
        }
        header.push_str(&body);
        header.push('\n');
    }

    /// Reads what follows `-> ` in the first line. None where age allows no such line.
    pub(crate) fn parse_arguments(line: &str) -> Option<Self> {
        let mut words = Vec::new();
        for word in line.split(' ') {
            if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            words.push(word.to_owned());
        }
        let kind = words.remove(0);
        Some(Self { kind, arguments: words, body: Vec::new() })
    }
}

/// Base64 without padding, in its one canonical form.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// [`decode`] to exactly so many bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// The mirror of [`decode`].
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}
