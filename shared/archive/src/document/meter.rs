//! Limits how much can be read.
//!
//! `serde_json` holds a text in memory while reading it, so the bytes are counted below it: a reader that
//! ends at the limit bounds everything above.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The remaining bytes, shared by the reader and by the code that sets the limit for each part.
#[derive(Clone)]
pub(super) struct Meter(Rc<Left>);

struct Left {
    bytes: Cell<u64>,
    is_exceeded: Cell<bool>,
}

impl Meter {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Rc::new(Left { bytes: Cell::new(bytes), is_exceeded: Cell::new(false) }))
    }

    pub(super) fn left(&self) -> u64 {
        self.0.bytes.get()
    }

    pub(super) fn set(&self, bytes: u64) {
        self.0.bytes.set(bytes);
    }

    /// Whether more bytes were requested than allowed.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.is_exceeded.get()
    }
}

/// Reads from `R` as far as the meter allows.
pub(super) struct Metered<R> {
    pub(super) input: R,
    pub(super) meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.left();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            self.meter.0.is_exceeded.set(true);
            return Err(io::Error::other("more than may be read"));
        }
        let read = self.input.read(&mut buffer[..most])?;
        self.meter.set(left - read as u64);
        Ok(read)
    }
}
