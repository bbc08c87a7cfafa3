//! `strongroom person`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Enrol a person: a token or an identity then belongs to the person.
    ///
    /// An admin enrols the first two people. Later ones are requested by one person and approved by another one. The
    /// holder of an enrolled token runs `strongroom token renew`; until then the token works, but does not count as that
    /// person.
    Enrol {
        /// The person's name: 1 to 200 characters. A person who is already enrolled gets the token or identity in
        /// addition.
        name: String,
        #[command(flatten)]
        subject: Subject,
    },
    /// List the people with their tokens and identities.
    List,
    /// Request the removal of a person, which another person must approve.
    Remove {
        /// The person's name.
        name: String,
    },
    /// List the requests that can be approved, newest first.
    Requests,
    /// Approve another person's request, which is then carried out.
    Approve {
        /// The request's id, as `person requests` shows it.
        request: String,
    },
}

/// The token or identity to enrol.
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
