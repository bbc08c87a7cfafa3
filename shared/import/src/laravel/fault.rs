//! Why a value does not open.

/// Why a value does not open. No message contains any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// Something else, such as plain text.
    #[error("the value is not one that Laravel encrypted")]
    NotPayload,
    /// Neither of the two that are read.
    #[error("the value is under an unknown cipher: AES-256-GCM and AES-256-CBC are read")]
    UnknownCipher,
    /// The HMAC of CBC.
    #[error("the value's MAC does not match: it was changed, or encrypted under another APP_KEY")]
    Mac,
    /// The tag of GCM.
    #[error("the value's GCM tag does not match: it was changed, or encrypted under another APP_KEY")]
    Tag,
    /// The MAC is right, and yet the inside is not.
    #[error("the value is authentic but its padding is broken: it was made wrongly")]
    Padding,
}
