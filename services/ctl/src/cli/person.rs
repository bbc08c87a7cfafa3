//! `strongroom person`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Enrol somebody: a token or an identity then belongs to the person.
    ///
    /// An admin enrols the first two people. Later ones are asked for by one person and approved by another one. The holder of
    /// an enrolled token runs `strongroom token renew`; before that the token acts for nobody.
    Enrol {
        /// The person's name: 1 to 200 characters. A person who is enrolled already gets the token or identity too.
        name: String,
        #[command(flatten)]
        subject: Subject,
    },
    /// List the people and what belongs to them.
    List,
    /// Ask for the removal of a person, which another person must approve.
    Remove {
        /// The person's name.
        name: String,
    },
    /// List what was asked for and may be approved, newest first.
    Requests,
    /// Approve what another person has asked for. It is then done.
    Approve {
        /// The request, as `person requests` shows it.
        request: String,
    },
}

/// What is to belong to the person.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Subject {
    /// The public id of a token, as `token list` shows it.
    #[arg(long, value_name = "TOKEN_ID")]
    pub(crate) token: Option<String>,
    /// The name of an identity, as in [[vault.identities]]: spiffe://… or dns:…
    #[arg(long, value_name = "SAN")]
    pub(crate) identity: Option<String>,
}
