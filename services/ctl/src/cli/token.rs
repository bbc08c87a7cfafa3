//! `strongroom token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use strongroom_api::vault::v1::Selector;
use strongroom_runtime::selectors::text as selector;

use super::confirmation::Confirmation;
use crate::time::Until;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token. Its text is printed once, or written to a file.
    Issue(IssueToken),
    /// Create a token that no vault knows yet, for a new vault's configuration. Needs no vault.
    New {
        /// Where to write it (mode 0600). The file must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List tokens, oldest first, including revoked ones and those that ended with an issuer.
    List,
    /// Revoke a token and every token issued from it, also indirectly; within five seconds every service refuses them.
    Revoke {
        /// The public id, as `token list` shows it, or the name if only one valid token has it.
        #[arg(value_name = "TOKEN_ID|NAME")]
        token: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Replace the secret of the token that you call with. The old secret ends at once; the id stays.
    Renew(SecretFile),
    /// Replace the secret of another token whose holder has lost it. You become its issuer.
    ///
    /// You must hold every permission of its role yourself. The reissued token expires no later than your own token.
    Reissue {
        /// The public id, as `token list` shows it.
        #[arg(value_name = "TOKEN_ID")]
        id: String,
        #[command(flatten)]
        file: SecretFile,
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
    /// or kind=* (every kind), caller keys by key=gateway. Labels are alternatives, even with different names; so are
    /// providers, kinds and keys. Without a selector for credentials the token reaches no credential, and likewise for
    /// references and caller keys. To resolve and to bind, it needs credentials and references, such as --select
    /// label.env=staging --select 'kind=*'. The token cannot see anything else.
    #[arg(long = "select", value_name = "K=V", value_parser = selector::parse)]
    pub(crate) selectors: Vec<Selector>,
    /// When it expires: after a time such as 90d, or at a time in RFC 3339. At the latest, and by default, when your
    /// own token does.
    #[arg(long, value_name = "T")]
    pub(crate) expires: Option<Until>,
    /// The only service that accepts it.
    #[arg(long, value_name = "SERVICE", value_parser = ["vault", "backup"])]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) file: SecretFile,
}

/// Where to write a new secret.
#[derive(Debug, Args)]
pub(crate) struct SecretFile {
    /// Write the secret to FILE (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace FILE if it exists.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}
