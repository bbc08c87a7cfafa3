//! `strongroom token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use strongroom_api::vault::v1::Selector;
use strongroom_runtime::selectors::text as selector;

use super::values::timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token. Its text is printed once.
    Issue(IssueToken),
    /// Make a token that no vault knows yet, for a new vault's configuration. Needs no vault.
    New {
        /// Where to write it (mode 0600). The file must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
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
    /// Its name, such as that of its holder: 1 to 200 characters.
    pub(crate) name: String,
    /// admin, operator, auditor, gateway, backup-service or backup-creator. You must hold every permission
    /// of the role yourself.
    #[arg(long)]
    pub(crate) role: String,
    /// Restrict the token to a selection; may be repeated.
    ///
    /// Credentials by label.env=staging and provider=openai (both must match), references by kind=endpoint, kind=pii_*
    /// or kind=* (every kind), caller keys by key=gateway. Selectors of one kind are alternatives. Of a sort that no
    /// selector names, the token reaches nothing: to resolve and to bind it needs credentials and references, such as
    /// --select label.env=staging --select 'kind=*'. For the token, nothing else exists.
    #[arg(long = "select", value_name = "K=V", value_parser = selector::parse)]
    pub(crate) selectors: Vec<Selector>,
    /// When it expires: RFC 3339, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) expires: Option<Timestamp>,
}
