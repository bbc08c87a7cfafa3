//! `strongroom token`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::values::timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token. Its text is printed now and never again.
    Issue(IssueToken),
    /// List tokens, oldest first, revoked ones included.
    List,
    /// Revoke a token; every service refuses it within five seconds.
    Revoke {
        /// The public id, as `token list` shows it.
        #[arg(value_name = "TOKEN_ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct IssueToken {
    /// Who it is for: 1 to 200 characters.
    pub(crate) name: String,
    /// admin, operator, auditor, gateway, backup-service or backup-creator. You must hold every permission
    /// of the role yourself.
    #[arg(long)]
    pub(crate) role: String,
    /// When it stops working: RFC 3339, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) expires: Option<Timestamp>,
}
