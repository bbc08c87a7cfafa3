//! `strongroom archive`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Show what an archive says of itself. With -o json: its manifest.
    Inspect {
        /// The archive.
        file: PathBuf,
    },
    /// Check every byte, digest and row of an archive.
    Verify {
        /// The archive.
        file: PathBuf,
    },
}
