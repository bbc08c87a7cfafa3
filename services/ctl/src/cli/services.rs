//! `strongroom demo`, `dev` and `source`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the folder with the databases and archives, and print its path.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// The folder for databases, root.key and admin.token. Created if missing, reused otherwise.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// A configuration file (TOML), as for the two services.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the vault listens (default 127.0.0.1:7601); port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) vault_listen: Option<SocketAddr>,
    /// Where the backup service listens (default 127.0.0.1:7602); port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) backup_listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// List the configured sources with their tables and optional groups, as they are now.
    List,
    /// Re-encrypt the declared columns of a database under the primary versions of their keys, online.
    ///
    /// Meant for the time after `key rotate`. The application keeps running. Stopping the command ends the work;
    /// running it again continues with the remaining values. The exit code is 1 if values remain, such as those that no
    /// key opens.
    Reencrypt {
        /// The source, as `source list` shows it.
        source: String,
        /// Limit to N values a second; unlimited by default.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        rate: Option<i32>,
    },
}
