//! Findings of a verification.

/// A head that was saved outside the vault.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    /// The log that the head belongs to; empty for the vault's own.
    pub(crate) chain: String,
    pub(crate) sequence: i64,
    pub(crate) mac: Vec<u8>,
}

/// The kind of a problem in the log, or in a row that grants access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Edited,
    Missing,
    Inserted,
    Swapped,
    Unchained,
    TailCut,
    AnchorMismatch,
    HeadMismatch,
    Tampered,
    Replayed,
}

impl Reason {
    /// Name in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "EDITED",
            Self::Missing => "MISSING",
            Self::Inserted => "INSERTED",
            Self::Swapped => "SWAPPED",
            Self::Unchained => "UNCHAINED",
            Self::TailCut => "TAIL_CUT",
            Self::AnchorMismatch => "ANCHOR_MISMATCH",
            Self::HeadMismatch => "HEAD_MISMATCH",
            Self::Tampered => "TAMPERED",
            Self::Replayed => "REPLAYED",
        }
    }
}

/// A problem in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) sequence: i64,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// The result of a verification.
#[derive(Debug, Default)]
pub(crate) struct Verification {
    pub(crate) events: i64,
    pub(crate) first_sequence: i64,
    pub(crate) last_sequence: i64,
    /// MAC of the last event.
    pub(crate) mac: Vec<u8>,
    /// Sorted by sequence; empty if the log is unchanged, and the rows that grant access match it.
    pub(crate) problems: Vec<Problem>,
    /// For an anchor of another log: a sentence about the restore that brought in the rows of that log's vault. Otherwise
    /// empty.
    pub(crate) note: String,
}
