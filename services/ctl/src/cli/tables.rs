//! `strongroom tables`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::overwriting::Overwriting;

const EXPORT: &str = "\
Examples:
  strongroom tables export --tables mcp_servers,endpoints --out tables.json
  strongroom tables export --tables users --out - | jq '.tables.users.rows | length'";

const IMPORT: &str = "\
Examples:
  strongroom tables import tables.json --dry-run
  strongroom tables import tables.json
  strongroom tables import gatwy-connections.json --dry-run
  ssh staging strongroom tables export --tables endpoints --out - | strongroom tables import -";

#[derive(Debug, Subcommand)]
pub(crate) enum TablesCommand {
    /// Write tables of databases into one JSON document, while they are read.
    ///
    /// All tables of a database are from one moment. Encrypted columns stay encrypted; everything else in the document can be
    /// read by whoever has it.
    #[command(after_help = EXPORT)]
    Export(ExportTables),
    /// Add the rows of a document that its tables do not have, by their keys.
    ///
    /// Rows that are there stay as they are, so that importing twice changes nothing the second time. All rows come in one
    /// transaction, or none. An import cannot be rolled back. All tables must be of one database.
    ///
    /// The document may also be Gatwy's connection export (version 1). Exit code 1 if something stands against it; then
    /// nothing was changed.
    #[command(after_help = IMPORT)]
    Import(ImportTables),
}

#[derive(Debug, Args)]
pub(crate) struct ExportTables {
    /// The tables, separated by commas, by the names that they have in archives (`strongroom source list`).
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub(crate) tables: Vec<String>,
    /// Where to write it; a folder takes the server's file name, - is standard output.
    ///
    /// With -, check the exit code: discard the output of a
    /// failed export.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) overwriting: Overwriting,
}

#[derive(Debug, Args)]
pub(crate) struct ImportTables {
    /// The document; - is standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) document: PathBuf,
    /// Change nothing, and say what an import would do.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
