//! The frames of gRPC messages in a body, in whatever pieces it arrives: a flag, a length, a message.

/// A flag and a length.
const HEADER: usize = 5;

/// Where in a frame the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Framing {
    header: [u8; HEADER],
    /// Bytes of the header that were read.
    read: usize,
    /// The message's length, while it arrives, and how much of it is missing.
    message: Option<(usize, usize)>,
}

/// What a piece of a body brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message of this length begins.
    Begin(usize),
    /// The message of this length is complete.
    End(usize),
}

impl Framing {
    /// Reads on in `data`.
    ///
    /// # Errors
    /// Those of `tell`; nothing is read behind one.
    pub(super) fn read<E>(
        &mut self,
        mut data: &[u8],
        mut tell: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        while !data.is_empty() {
            let Some((length, missing)) = &mut self.message else {
                data = self.read_header(data, &mut tell)?;
                continue;
            };
            let taken = data.len().min(*missing);
            data = &data[taken..];
            *missing -= taken;
            if *missing == 0 {
                let length = *length;
                self.message = None;
                tell(Event::End(length))?;
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
        let [_, length @ ..] = self.header;
        let length = u32::from_be_bytes(length) as usize;
        tell(Event::Begin(length))?;
        if length == 0 {
            tell(Event::End(0))?;
        } else {
            self.message = Some((length, length));
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
    fn a_refused_message_is_not_read() {
        let mut framing = Framing::default();
        assert_eq!(
            framing.read(&[0, 255, 255, 255, 255, 1], Err::<(), _>),
            Err(Event::Begin(u32::MAX as usize))
        );
    }
}
