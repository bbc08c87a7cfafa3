//! The text form of the manifest: one line per field, and one per list element. An archive can have 100,000
//! entries, and one line each takes half the space of one line per field.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::Manifest;
use crate::error::{Error, Result};

/// The manifest and its lists: deeper levels stay on one line.
const DEEPEST: usize = 2;

impl Manifest {
    /// `manifest.json`, with its final line feed.
    ///
    /// # Errors
    /// None for a manifest that was read or built for writing.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = Vec::new();
        let formatter = Lines { pretty: PrettyFormatter::new(), depth: 0 };
        self.serialize(&mut Serializer::with_formatter(&mut json, formatter)).map_err(Error::ManifestJson)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// Breaks lines down to a given depth only.
struct Lines {
    pretty: PrettyFormatter<'static>,
    depth: usize,
}

impl Lines {
    fn has_lines(&self) -> bool {
        self.depth <= DEEPEST
    }

    fn begin<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        bracket: &[u8],
        pretty: fn(&mut PrettyFormatter<'static>, &mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        self.depth += 1;
        if self.has_lines() { pretty(&mut self.pretty, out) } else { out.write_all(bracket) }
    }

    fn end<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        bracket: &[u8],
        pretty: fn(&mut PrettyFormatter<'static>, &mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        let has_lines = self.has_lines();
        self.depth -= 1;
        if has_lines { pretty(&mut self.pretty, out) } else { out.write_all(bracket) }
    }

    fn separate<W: Write + ?Sized>(out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b",") }
    }
}

impl Formatter for Lines {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[", PrettyFormatter::begin_array)
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]", PrettyFormatter::end_array)
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if self.has_lines() { self.pretty.begin_array_value(out, first) } else { Self::separate(out, first) }
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.has_lines() { self.pretty.end_array_value(out) } else { Ok(()) }
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{", PrettyFormatter::begin_object)
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}", PrettyFormatter::end_object)
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if self.has_lines() { self.pretty.begin_object_key(out, first) } else { Self::separate(out, first) }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.has_lines() { self.pretty.begin_object_value(out) } else { out.write_all(b":") }
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        if self.has_lines() { self.pretty.end_object_value(out) } else { Ok(()) }
    }
}
