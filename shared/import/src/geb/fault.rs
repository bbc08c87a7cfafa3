//! Chooses the error for a file that is not authentic.
//!
//! The MAC cannot distinguish a wrong passphrase from a changed byte. The two keys are independent, however:
//! if the start decrypts to the text that Gatwy writes there, the passphrase is right, and the sizes in it
//! show how the length changed. The data read here is not used for anything else.

use std::io::{Read, Seek};

use super::envelope::Envelope;
use super::manifest::Manifest;
use crate::error::Error;

/// The start of every manifest, after its length.
const START: &[u8] = b"{\"version\"";

/// The probable fault of a file whose MAC does not match.
pub(super) fn of<R: Read + Seek>(envelope: &mut Envelope<R>) -> Error {
    let right = match begins_like_a_manifest(envelope) {
        Ok(right) => right,
        Err(error) => return error,
    };
    match (right, expected_bytes(envelope)) {
        (false, _) => Error::WrongPassphrase,
        (true, Some(expected)) if expected > envelope.payload_bytes() => {
            Error::Truncated(expected - envelope.payload_bytes())
        }
        (true, Some(expected)) if expected < envelope.payload_bytes() => {
            Error::Trailing(envelope.payload_bytes() - expected)
        }
        (true, _) => Error::Damaged,
    }
}

fn begins_like_a_manifest<R: Read + Seek>(envelope: &mut Envelope<R>) -> Result<bool, Error> {
    let mut start = [0; 4 + START.len()];
    if envelope.payload_bytes() < start.len() as u64 {
        return Ok(false);
    }
    envelope.payload()?.fill(&mut start)?;
    Ok(start.ends_with(START))
}

/// The payload's length according to the manifest, if it can be read.
fn expected_bytes<R: Read + Seek>(envelope: &mut Envelope<R>) -> Option<u64> {
    Manifest::expected_bytes(&mut envelope.payload().ok()?)
}
