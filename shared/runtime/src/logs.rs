//! Logs: JSON lines on standard error that a terminal can show.
//!
//! JSON itself escapes only what is below U+0020. Delete, C1 and the characters that reorder or hide text would reach
//! an operator's terminal as somebody sent them; here they are escaped too, so that a parser still reads the same
//! text.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::printable::is_unseen;

/// `STRONGROOM_LOG` selects levels (`info` by default).
pub(crate) fn init() {
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = || JsonLines(io::stderr());
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(writer).try_init();
}

/// Escapes what passes through. Each call gets a complete line, which is how `tracing_subscriber` writes.
struct JsonLines<W>(W);

impl<W: Write> Write for JsonLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match escaped(&String::from_utf8_lossy(line)) {
            Cow::Borrowed(same) => self.0.write_all(same.as_bytes())?,
            Cow::Owned(escaped) => self.0.write_all(escaped.as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A line of JSON whose unseen characters are `\uXXXX`; they occur in strings only.
fn escaped(line: &str) -> Cow<'_, str> {
    let escape = |character| character != '\n' && is_unseen(character);
    if !line.chars().any(escape) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if escape(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_hostile_field_is_escaped_and_reads_the_same() {
        let sink = Sink::default();
        let out = sink.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || JsonLines(out.clone())).finish();
        let hostile = "a\x1b[2K\r\u{7f}\u{9b}8m\u{202e}\u{200b}\u{e0041}ü";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(name = hostile, "seen {hostile}");
        });
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(line.trim_end_matches('\n').chars().all(|character| !is_unseen(character)), "{line:?}");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["fields"]["name"], hostile);
    }
}
