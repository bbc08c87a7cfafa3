//! Writing a document while its rows are being read.

use std::io::{self, Write};

use jiff::Timestamp;

use super::VERSION;
use crate::file_name::{plain, second};
use crate::rows::json::write_string;
use crate::rows::schema::TableSchema;

/// `<app>-tables-YYYY-MM-DD-HHMMSS.json` in UTC, with the same characters as an archive's name.
#[must_use]
pub fn document_file_name(app_name: &str, created_at: Timestamp) -> String {
    format!("{}-tables-{}.json", plain(app_name), second(created_at))
}

/// Writes one document to `W` in a single pass. The document is invalid unless it is finished.
pub struct DocumentWriter<W> {
    out: W,
    tables: u64,
    has_rows: bool,
}

impl<W: Write> DocumentWriter<W> {
    /// Writes the beginning.
    ///
    /// # Errors
    /// Those of `out`, as for every method.
    pub fn begin(mut out: W, app_name: &str, created_at: Timestamp) -> io::Result<Self> {
        let mut head = format!("{{\"strongroom_tables\":{VERSION},\"app_name\":").into_bytes();
        write_string(&mut head, app_name);
        writeln!(head, ",\"created_at\":\"{created_at}\",\"tables\":{{")?;
        out.write_all(&head)?;
        Ok(Self { out, tables: 0, has_rows: false })
    }

    /// Begins a table. `schema` contains its name in archives.
    ///
    /// # Errors
    /// Those of the output.
    pub fn start_table(&mut self, schema: &TableSchema) -> io::Result<()> {
        let mut head = Vec::new();
        if self.tables > 0 {
            head.extend_from_slice(b",\n");
        }
        write_string(&mut head, &schema.name);
        head.extend_from_slice(b":{\"source\":");
        write_string(&mut head, &schema.source);
        head.extend_from_slice(b",\"schema\":");
        serde_json::to_writer(&mut head, schema)?;
        head.extend_from_slice(b",\"rows\":[");
        self.tables += 1;
        self.has_rows = false;
        self.out.write_all(&head)
    }

    /// Appends a block: complete rows joined by `,\n`, as in archives, without a separator before or after
    /// them.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_rows(&mut self, block: &[u8]) -> io::Result<()> {
        let opening: &[u8] = if self.has_rows { b",\n" } else { b"\n" };
        self.has_rows = true;
        self.out.write_all(opening)?;
        self.out.write_all(block)
    }

    /// Continues a block that was partly written.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_on(&mut self, more: &[u8]) -> io::Result<()> {
        self.out.write_all(more)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish_table(&mut self) -> io::Result<()> {
        self.out.write_all(if self.has_rows { b"\n]}" } else { b"]}" })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n}}\n")?;
        Ok(self.out)
    }
}
