//! A recipient stanza: a line of arguments and a body in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Characters in a full line of a body; a shorter line ends the body.
pub(crate) const COLUMNS: usize = 64;

/// Contains what one recipient needs to obtain the file key. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    pub(crate) kind: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Stanza {
    /// A stanza of the type `kind`. The type of an application's own stanza begins with one of its domain
    /// names, as age requires. Type and arguments are words of visible ASCII; [`crate::SealWriter::create`]
    /// refuses others.
    #[must_use]
    pub fn new(kind: &str, arguments: Vec<String>, body: Vec<u8>) -> Self {
        Self { kind: kind.to_owned(), arguments, body }
    }

    /// The type of recipient.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The arguments after the type.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The body, decoded.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether a header can hold it.
    pub(crate) fn has_words_only(&self) -> bool {
        is_word(&self.kind) && self.arguments.iter().all(|argument| is_word(argument))
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

    /// Reads the arguments that follow `-> ` in the first line; `None` if age does not allow such a line.
    pub(crate) fn parse_arguments(line: &str) -> Option<Self> {
        let mut words = Vec::new();
        for word in line.split(' ') {
            if !is_word(word) {
                return None;
            }
            words.push(word.to_owned());
        }
        let kind = words.remove(0);
        Some(Self { kind, arguments: words, body: Vec::new() })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Base64 without padding, in its one canonical form.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// [`decode`], if the result has exactly N bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// The inverse of [`decode`].
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}
