//! Which sentence a file gets that is not authentic.
//!
//! A wrong passphrase and a changed byte look alike to the code. The two keys are independent, though, so a start
//! that decrypts to what Gatwy writes there says that the passphrase is right, and the sizes in it say what
//! happened to the length. Nothing that is read here is used for anything else.

use std::io::{Read, Seek};

use super::envelope::Envelope;
use super::manifest::Manifest;
use crate::error::Error;

/// How every manifest begins, after its length.
const START: &[u8] = b"{\"version\"";

/// What seems to have happened to a file whose code does not match.
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

/// The payload's length as the manifest gives it, if one can be read.
fn expected_bytes<R: Read + Seek>(envelope: &mut Envelope<R>) -> Option<u64> {
    Manifest::expected_bytes(&mut envelope.payload().ok()?)
}
