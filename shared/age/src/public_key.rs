//! The public half of a key of any of age's types: the form of recipients in configurations and commands.

use std::fmt;
use std::str::FromStr;

use crate::error::{SealError, SealResult};
use crate::hybrid::HybridRecipient;
use crate::recipient::Recipient;
use crate::x25519::X25519Recipient;

/// A recipient `age1…` or `age1pq1…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// `age1…`
    X25519(X25519Recipient),
    /// `age1pq1…`
    Hybrid(Box<HybridRecipient>),
}

impl PublicKey {
    /// Whether the key resists quantum computers.
    #[must_use]
    pub fn is_post_quantum(&self) -> bool {
        matches!(self, Self::Hybrid(_))
    }

    /// Checks that a file can be sealed to all of `keys`.
    ///
    /// # Errors
    /// [`SealError::PostQuantumNotAlone`] if some are post-quantum keys and others are not.
    pub fn check_alike(keys: &[Self]) -> SealResult<()> {
        let first = keys.first().is_some_and(Self::is_post_quantum);
        let is_alike = keys.iter().all(|key| key.is_post_quantum() == first);
        if is_alike { Ok(()) } else { Err(SealError::PostQuantumNotAlone) }
    }

    /// At most 63 characters that identify the key in logs and messages: a post-quantum key is truncated to the
    /// length of an ordinary one.
    #[must_use]
    pub fn name(&self) -> String {
        let text = self.to_string();
        match self {
            Self::X25519(_) => text,
            Self::Hybrid(_) => text.chars().take(62).chain(['…']).collect(),
        }
    }
}

impl FromStr for PublicKey {
    type Err = SealError;

    fn from_str(text: &str) -> SealResult<Self> {
        match text.starts_with("age1pq1") {
            true => text.parse().map(|key| Self::Hybrid(Box::new(key))),
            false => text.parse().map(Self::X25519),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X25519(key) => key.fmt(f),
            Self::Hybrid(key) => key.fmt(f),
        }
    }
}

impl From<PublicKey> for Recipient {
    fn from(key: PublicKey) -> Self {
        match key {
            PublicKey::X25519(key) => Self::X25519(key),
            PublicKey::Hybrid(key) => Self::Hybrid(key),
        }
    }
}
