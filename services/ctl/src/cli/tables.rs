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
    /// Export tables of databases as one JSON document, online.
    ///
    /// All tables of a database are from one snapshot. Encrypted columns stay encrypted; anybody who has the document
    /// can read everything else in it.
    #[command(after_help = EXPORT)]
    Export(ExportTables),
    /// Add those rows of a document whose keys are not in the database yet.
    ///
    /// Existing rows stay as they are, so importing again changes nothing. All rows are added in one transaction, or
    /// none. An import cannot be rolled back. All tables must be in one database.
    ///
    /// The document can also be Gatwy's connection export (version 1). The exit code is 1 if the import is refused;
    /// then nothing was changed.
    #[command(after_help = IMPORT)]
    Import(ImportTables),
}

#[derive(Debug, Args)]
pub(crate) struct ExportTables {
    /// The tables, separated by commas, by their names in archives (`strongroom source list`).
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    pub(crate) tables: Vec<String>,
    /// Where to write it; for a folder, the server's file name is used; - is standard output.
    ///
    /// With -, check the exit code: discard the output of a failed export.
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
    /// Show what an import would do, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
