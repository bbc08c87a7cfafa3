//! Reasons why a value does not open.

/// Why a value does not open. No message contains any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// Not an encrypted value, but for example plain text.
    #[error("the value is not one that Laravel encrypted")]
    NotPayload,
    /// A cipher other than the two supported.
    #[error("the value uses an unknown cipher: AES-256-GCM and AES-256-CBC are supported")]
    UnknownCipher,
    /// The HMAC of a CBC value does not match.
    #[error("the value's MAC does not match: it was changed, or encrypted under another APP_KEY")]
    Mac,
    /// The tag of a GCM value does not match.
    #[error("the value's GCM tag does not match: it was changed, or encrypted under another APP_KEY")]
    Tag,
    /// The MAC matches, but the content is invalid.
    #[error("the value is authentic but its padding is invalid: it was encrypted incorrectly")]
    Padding,
}
