//! Frames of gRPC messages in a body that arrives in arbitrary pieces: a flag, a length, a message.

/// Bytes of the flag and the length.
const HEADER: usize = 5;

/// The flag of a compressed message.
const COMPRESSED: u8 = 1;

/// Maximum ratio of a message to its compressed form: deflate encodes at most 258 bytes in two bits.
const MOST_INFLATED: usize = 1032;

/// More than any service accepts in one message; a service refuses a larger one while inflating it.
const LARGEST: usize = 8 << 20;

/// Position of the next byte in a frame.
#[derive(Debug, Default)]
pub(super) struct Framing {
    header: [u8; HEADER],
    /// Bytes of the header read so far.
    read: usize,
    /// While a message arrives: its size, and the number of its missing bytes.
    message: Option<(usize, usize)>,
}

/// An event in a piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message begins that takes at most this many bytes of memory.
    Begin(usize),
    /// The message of this size is complete.
    End(usize),
}

impl Framing {
    /// Continues with `data`.
    ///
    /// # Errors
    /// Those of `tell`; nothing is read after one.
    pub(super) fn read<E>(
        &mut self,
        mut data: &[u8],
        mut tell: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        while !data.is_empty() {
            let Some((size, missing)) = &mut self.message else {
                data = self.read_header(data, &mut tell)?;
                continue;
            };
            let taken = data.len().min(*missing);
            data = &data[taken..];
            *missing -= taken;
            if *missing == 0 {
                let size = *size;
                self.message = None;
                tell(Event::End(size))?;
            }
        }
        Ok(())
    }

    fn read_header<'a, E>(
        &mut self,
        data: &'a [u8],
        tell: &mut impl FnMut(Event) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        let (taken, rest) = data.split_at(data.len().min(HEADER - self.read));
        self.header[self.read..self.read + taken.len()].copy_from_slice(taken);
        self.read += taken.len();
        if self.read < HEADER {
            return Ok(rest);
        }
        self.read = 0;
        let [flag, length @ ..] = self.header;
        let length = u32::from_be_bytes(length) as usize;
        // The compressed and the inflated form are in memory at once.
        let inflated = if flag == COMPRESSED { length.saturating_mul(MOST_INFLATED).min(LARGEST) } else { 0 };
        let size = length.saturating_add(inflated);
        tell(Event::Begin(size))?;
        if length == 0 {
            tell(Event::End(0))?;
        } else {
            self.message = Some((size, length));
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(body: &[u8], piece: usize) -> Vec<Event> {
        let (mut framing, mut events) = (Framing::default(), Vec::new());
        for piece in body.chunks(piece) {
            let told: Result<(), ()> = framing.read(piece, |event| {
                events.push(event);
                Ok(())
            });
            told.expect("nothing refuses");
        }
        events
    }

    #[test]
    fn messages_are_found_in_any_pieces() {
        let mut body = vec![0, 0, 0, 0, 3, 1, 2, 3];
        body.extend([1, 0, 0, 0, 0]);
        body.extend([0, 0, 0, 1, 2]);
        body.extend([7; 258]);
        body.extend([0, 0, 1, 0, 0, 9]);
        use Event::{Begin, End};
        let expected = [Begin(3), End(3), Begin(0), End(0), Begin(258), End(258), Begin(65536)];
        for piece in 1..=body.len() {
            assert_eq!(events(&body, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_compressed_message_counts_as_what_it_may_become() {
        let size = 3 + 3 * MOST_INFLATED;
        assert_eq!(events(&[1, 0, 0, 0, 3, 7, 7, 7], 4), [Event::Begin(size), Event::End(size)]);
        let mib = 1 << 20;
        assert_eq!(events(&[1, 0, 16, 0, 0], 5), [Event::Begin(mib + LARGEST)]);
    }

    #[test]
    fn a_refused_message_is_not_read() {
        let mut framing = Framing::default();
        assert_eq!(
            framing.read(&[0, 255, 255, 255, 255, 1], Err::<(), _>),
            Err(Event::Begin(u32::MAX as usize))
        );
    }
}
