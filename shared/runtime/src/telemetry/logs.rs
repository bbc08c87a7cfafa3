//! Logs on standard error that are safe to show in a terminal: JSON lines for collectors, or text for people.
//!
//! JSON itself escapes only characters below U+0020. Delete, C1 and the characters that reorder or hide text would
//! reach an operator's terminal unchanged; here they are escaped too, in a way that a parser reads as the same text.
//! Text lines are escaped in the same way.

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::error::{Error, Result};
use crate::printable::is_unseen;

/// Logs, on standard error.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The level, globally or for one module: `error`, `warn`, `info`, `debug`, `trace` or `off`, as in
    /// `info,strongroom_vault=debug`. The variable `STRONGROOM_LOG` takes precedence.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// How log lines look.
// Serialised only to show the default in the configuration reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// a JSON object
    #[default]
    Json,
    /// text for people
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}

/// Writes events at the levels that the configuration selects.
pub(super) fn layer<S>(config: &LogConfig) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (name, levels) = match std::env::var("STRONGROOM_LOG") {
        Ok(levels) => ("STRONGROOM_LOG", levels),
        Err(_) => ("log.level", config.level.clone()),
    };
    let levels = EnvFilter::try_new(&levels).map_err(|error| {
        Error::Config(format!("{name} is {levels:?}, which selects no levels ({error}); try \"info\""))
    })?;
    let writer = || Escaping(io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<S> + Send + Sync> = match config.format {
        LogFormat::Json => lines.json().with_current_span(false).with_span_list(false).boxed(),
        // Colours are control characters and would be escaped like the others; a line for people does not need them.
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    // Spans are not written: a recorded one is in its trace. One filter instead of two filtered layers: two would
    // disagree about call sites in other crates, which are then evaluated each time. That cost a fifth of a reveal.
    let events = filter_fn(|metadata: &Metadata<'_>| metadata.is_event());
    Ok(lines.with_filter(events.and(levels)).boxed())
}

/// Escapes everything written through it. Each call gets a complete line, because that is how `tracing_subscriber`
/// writes.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
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

/// The line with its invisible characters as `\uXXXX`. In JSON they occur only in strings.
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
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || Escaping(out.clone())).finish();
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
