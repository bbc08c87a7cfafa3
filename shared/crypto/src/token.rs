//! API tokens: shown once, stored as a hash, and recognisable wherever they leak.
//!
//! ```text
//! srt_ <id: 12> <secret: 28> <checksum: 6>      50 characters, base62 after the prefix
//! ```
//!
//! The id is public and appears in lists and in the audit log. The secret has 166 random bits, so storing a
//! fast hash of it is enough. The checksum is CRC-32 (IEEE) of everything before it; it is not a protection,
//! but lets a scanner or a client tell a token from a typing error without a request.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::base62;
use crate::error::{Error, Result};

const PREFIX: &str = "srt_";
const INTROSPECT: &str = "strongroom/introspect";
const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 28;
const CHECKSUM_CHARS: usize = 6;
const ID_END: usize = PREFIX.len() + ID_CHARS;
const SECRET_END: usize = ID_END + SECRET_CHARS;
const TOKEN_CHARS: usize = SECRET_END + CHECKSUM_CHARS;

/// An API token. Wiped when dropped; its `Debug` shows nothing.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new random token.
    #[must_use]
    pub fn generate() -> Self {
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_CHARS));
        text.push_str(PREFIX);
        base62::push_random(&mut text, ID_CHARS);
        Self::with_secret(text)
    }

    /// A token with this id and a new secret.
    ///
    /// # Errors
    /// [`Error::NotAToken`] if `id` is not a token's id.
    pub fn generate_for(id: &str) -> Result<Self> {
        if id.len() != ID_CHARS || !base62::is_base62(id) {
            return Err(Error::NotAToken);
        }
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_CHARS));
        text.push_str(PREFIX);
        text.push_str(id);
        Ok(Self::with_secret(text))
    }

    /// Appends the secret and the checksum to prefix and id. The text has the final capacity, so it is not
    /// copied.
    fn with_secret(mut text: Zeroizing<String>) -> Self {
        base62::push_random(&mut text, SECRET_CHARS);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Checks prefix, length, alphabet and checksum. Surrounding white space is not accepted.
    ///
    /// # Errors
    /// [`Error::NotAToken`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self> {
        let body = text.strip_prefix(PREFIX).ok_or(Error::NotAToken)?;
        if text.len() != TOKEN_CHARS || !base62::is_base62(body) {
            return Err(Error::NotAToken);
        }
        let (checked, given) = text.split_at(SECRET_END);
        if checksum(checked) != given {
            return Err(Error::NotAToken);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The public part, 12 characters, without the prefix.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..ID_END]
    }

    /// SHA-256 of the whole text. The vault stores this hash, and finds the tokens of its own callers by it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// SHA-256 of a token's [`Self::introspect_hash`]. The vault stores only this form of that hash, so a
    /// reader of the database cannot use it for an introspection.
    #[must_use]
    pub fn introspect_lookup(hash: &[u8]) -> [u8; 32] {
        Sha256::digest(hash).into()
    }

    /// SHA-256 of `strongroom/introspect` and the whole text: the hash with which a service looks up a
    /// caller's token at the vault. It is not a token, and cannot be derived from the hash of a token in an
    /// archive ([`Self::hash`]).
    #[must_use]
    pub fn introspect_hash(&self) -> [u8; 32] {
        Sha256::new().chain_update(INTROSPECT).chain_update(self.0.as_bytes()).finalize().into()
    }

    /// The whole text. To be shown once to the requester of the token, and to no one else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

fn checksum(text: &str) -> String {
    base62::encode_u32(crc32fast::hash(text.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// CRC-32 of the first 44 characters is 0xb2d48638, according to another implementation.
    const GOOD: &str = "srt_0123456789ABabcdefghijklmnopqrstuvwxyz013H2puy";

    #[test]
    fn parts() {
        let token = Token::parse(GOOD).unwrap();
        assert_eq!(token.id(), "0123456789AB");
        assert_eq!(token.expose(), GOOD);
        assert_eq!(
            hex::encode(token.hash()),
            "fe3596fd7a40b4a3a2c6d5bea5b2d6ffe1f19ecf25dab6fc9ee2cd498b4a4842"
        );
        assert_eq!(
            hex::encode(token.introspect_hash()),
            "5007555adcb4c5007036d11b47e4e37f1f4c9d66e822bb542a8fbbe5509d97ee"
        );
    }

    #[test]
    fn generated_tokens_parse_and_differ() {
        let (one, two) = (Token::generate(), Token::generate());
        assert_eq!(one.expose().len(), 50);
        assert_eq!(Token::parse(one.expose()).unwrap().hash(), one.hash());
        assert_ne!(one.id(), two.id());
        assert_ne!(one.hash(), two.hash());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        for index in 0..GOOD.len() {
            for replacement in *b"0aZ_-" {
                if GOOD.as_bytes()[index] == replacement {
                    continue;
                }
                let mut changed = GOOD.as_bytes().to_vec();
                changed[index] = replacement;
                let changed = String::from_utf8(changed).unwrap();
                assert!(Token::parse(&changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn what_is_not_a_token() {
        let long = format!("{GOOD}0");
        let spaced = format!("{GOOD}\n");
        let upper = GOOD.replace("srt_", "SRT_");
        // The right length in bytes, but every boundary is inside a character.
        let wide = format!("srt_{}", "é".repeat(23));
        for text in ["", "srt_", &GOOD[..49], &long, &spaced, &upper, &wide] {
            let error = Token::parse(text).unwrap_err();
            assert_eq!(error, Error::NotAToken, "{text}");
        }
        let message = Error::NotAToken.to_string();
        assert!(message.starts_with("not a Strongroom token (expected srt_"), "{message}");
    }

    /// Correct form and checksum, but a character outside the alphabet.
    #[test]
    fn the_alphabet_is_checked() {
        let checked = "srt_0123456789ABabcdefghijklmnopqrstuvwxyz0-";
        let text = format!("{checked}{}", checksum(checked));
        assert!(Token::parse(&text).is_err());
    }
}
