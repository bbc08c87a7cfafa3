//! The two output channels of the process. Nothing else in this crate writes to them, and text for people passes
//! through `printable_lines` here, so no command can forget it.
//!
//! Data whose bytes matter (a secret, a table of an archive) goes unchanged into a file or a pipe. On a terminal, which
//! obeys control characters, it is escaped like everything else.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal as _, Read, Write};

use anyhow::{Context as _, Result};
use strongroom_runtime::printable_lines;

use super::json;

/// The reader of standard output has closed it.
#[derive(Debug)]
pub(crate) struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for ReaderLeft {}

/// Prints lines for people.
///
/// # Errors
/// [`ReaderLeft`] if nobody reads any more.
pub(crate) fn print(lines: &str) -> Result<()> {
    print_bytes(printable_lines(lines).as_bytes())
}

/// Prints JSON: the same data, escaped so that a terminal can show it.
pub(super) fn print_json(text: &str) -> Result<()> {
    print_bytes(json::shown(text).as_bytes())
}

/// Prints data whose bytes are the result.
pub(crate) fn print_data(mut data: impl Read) -> Result<()> {
    let mut out = data_out();
    result_of(io::copy(&mut data, &mut out).and_then(|_| out.flush()))
}

/// Standard output for data that is produced piece by piece.
pub(crate) fn data_out() -> DataOut {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    DataOut { out: stdout, terminal, pending: Vec::new() }
}

/// Prints a message for the person, apart from the result. It is no failure if nobody reads it.
pub(crate) fn message(text: &str) {
    let _ = writeln!(io::stderr(), "{}", printable_lines(text));
}

/// Prints a message as one JSON object on one line, for a script.
pub(crate) fn message_json(document: &serde_json::Value) {
    let _ = writeln!(io::stderr(), "{}", json::shown(&document.to_string()));
}

/// Prints the beginning of a line that the person completes.
pub(crate) fn prompt(text: &str) {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{}", printable_lines(text)).and_then(|()| stderr.flush());
}

/// Number of characters in a line of standard output; `None` if that is not a terminal.
pub(super) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Whether a person sees the messages.
pub(crate) fn is_answerable() -> bool {
    io::stderr().is_terminal()
}

fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    result_of(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

fn result_of(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderLeft.into()),
        other => other.context("cannot write to standard output"),
    }
}

/// Writes bytes; see [`data_out`].
#[derive(Debug)]
pub(crate) struct DataOut<W = io::Stdout> {
    out: W,
    terminal: bool,
    /// The beginning of a character whose end has not been written yet: at most three bytes.
    pending: Vec<u8>,
}

impl<W> DataOut<W> {
    /// Whether a person reads it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl<W: Write> Write for DataOut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.terminal {
            return self.out.write(bytes);
        }
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.len() - unfinished(&self.pending);
        let text: Cow<'_, str> = String::from_utf8_lossy(&self.pending[..whole]);
        self.out.write_all(printable_lines(&text).as_bytes())?;
        self.pending.drain(..whole);
        Ok(bytes.len())
    }

    /// The pending bytes are not a character, and cannot become one.
    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        self.out.write_all(String::from_utf8_lossy(&rest).as_bytes())?;
        self.out.flush()
    }
}

/// Number of bytes at the end that begin an incomplete character.
fn unfinished(bytes: &[u8]) -> usize {
    let rest = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(rest) {
        Err(error) if error.error_len().is_none() => rest.len(),
        _ => 0,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn written(terminal: bool, pieces: &[&[u8]]) -> Vec<u8> {
        let mut sink = DataOut { out: Vec::new(), terminal, pending: Vec::new() };
        for piece in pieces {
            sink.write_all(piece).unwrap();
        }
        sink.flush().unwrap();
        sink.out
    }

    #[test]
    fn data_reaches_a_file_unchanged() {
        let secret = b"\x1b[2K\x00\x9b\xff\r\n";
        assert_eq!(written(false, &[secret]), secret);
    }

    #[test]
    fn terminal_control_characters_are_escaped() {
        let shown = |pieces: &[&[u8]]| String::from_utf8(written(true, pieces)).unwrap();
        assert_eq!(shown(&[b"a\x1b[2K\r\n\tb"]), "a\\u{1b}[2K\\r\n\\tb");
        assert_eq!(shown(&["\u{9b}8m\u{202e}ü".as_bytes()]), "\\u{9b}8m\\u{202e}ü");
        assert_eq!(shown(&[b"\x9b\xff"]), "\u{fffd}\u{fffd}", "C1 as single bytes");
    }

    #[test]
    fn a_character_in_two_pieces_is_one() {
        let shown = |pieces: &[&[u8]]| String::from_utf8(written(true, pieces)).unwrap();
        assert_eq!(shown(&[b"\xc2", b"\x9b8m"]), "\\u{9b}8m");
        assert_eq!(shown(&[b"x\xe2", b"\x80", b"\xaey"]), "x\\u{202e}y");
        assert_eq!(shown(&[b"x\xe2\x80"]), "x\u{fffd}", "one that is never completed");
        assert_eq!(shown(&[b"\xe2", b"\x1b"]), "\u{fffd}\\u{1b}");
    }

    /// Calls that bypass this file. Progress bars draw themselves: `progress.rs` makes their texts printable.
    const BYPASSES: &[(&str, &[&str])] = &[
        ("stdout()", &["output/channels.rs"]),
        ("stderr()", &["output/channels.rs"]),
        ("print!(", &[]),
        ("println!(", &[]),
        ("dbg!(", &[]),
        ("clippy::print_std", &[]),
        ("Cli::parse()", &[]),
        ("set_message(", &["commands/progress.rs"]),
        ("set_prefix(", &["commands/progress.rs"]),
        ("/dev/tty", &[]),
        ("/dev/std", &[]),
    ];

    #[test]
    fn nothing_is_printed_past_this_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut folders, mut seen) = (vec![root.clone()], 0);
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                // A method of clap, not a channel.
                let code = text.split("#[cfg(test)]").next().unwrap().replace("use_stderr()", "");
                for (bypass, allowed) in BYPASSES {
                    assert!(!code.contains(bypass) || allowed.contains(&name), "{name} contains {bypass}");
                }
                seen += 1;
            }
        }
        assert!(seen > 50, "only {seen} files were read");
    }
}
