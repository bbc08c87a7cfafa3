//! `strongroom credential`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use jiff::SignedDuration;

use super::confirmation::Confirmation;
use super::values::label;
use crate::time::{Expiry, Until, length};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Seal and store a secret. Lists show only a preview of it.
    Create(CreateCredential),
    /// List credentials, oldest first, without their secrets.
    List(ListCredentials),
    /// Show one credential, without its secret.
    Get(CredentialId),
    /// Let consumers use a credential again.
    Activate(CredentialId),
    /// Stop consumers from using a credential; `activate` undoes that.
    Deactivate(CredentialId),
    /// Delete a credential and its secret irreversibly. References to it stay, bound to nothing.
    Delete {
        #[command(flatten)]
        credential: CredentialId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Print the secret and nothing else: unchanged into a file or a pipe, with control characters escaped on a
    /// terminal. The audit log records it.
    Reveal {
        #[command(flatten)]
        credential: CredentialId,
        /// The secret before the last rotation, during its grace period.
        #[arg(long)]
        previous: bool,
    },
    /// Replace the secret in place: id and references do not change. The old secret opens until its grace period ends.
    Rotate(RotateCredential),
    /// Make the secret before the last rotation the current one again, during its grace period.
    Rollback(CredentialId),
    /// Change the name, the labels or the expiry. The provider is fixed at creation.
    Update(UpdateCredential),
    /// Count credentials: all, active, and the providers they cover.
    Stats,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialId {
    /// The credential's id, or its display name if that is unique.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateCredential {
    /// Its display name: 1 to 200 characters.
    pub(crate) name: String,
    /// The provider's short name, such as openai; it cannot be changed later.
    #[arg(long)]
    pub(crate) provider: String,
    /// The file that holds the secret, or - for standard input. Up to 64 KiB of any bytes; one line feed at
    /// the end of a text is not part of it. A secret is never an argument: arguments are visible to the whole machine.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) secret_file: PathBuf,
    /// A label to find it by; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// When it expires: after a time such as 90d, or at a time in RFC 3339, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "T")]
    pub(crate) expires: Option<Until>,
    /// Create it even if another credential has the same name; both can then be identified only by their ids.
    #[arg(long)]
    pub(crate) allow_duplicate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateCredential {
    /// The credential's id, or its display name if that is unique.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The file that holds the new secret, or - for standard input; as `create` takes it.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) secret_file: PathBuf,
    /// How long the old secret still opens, with `reveal --previous`: such as 1h, 2d or 0s, at most 30d. The
    /// vault's default is 1h.
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) grace: Option<SignedDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct ListCredentials {
    /// Only credentials of this provider.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only active ones, or only inactive ones.
    #[arg(long, value_name = "true|false")]
    pub(crate) active: Option<bool>,
    /// Only credentials whose name begins with this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name_prefix: Option<String>,
    /// Only credentials with this label; may be repeated, and then all must match.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only credentials that expire within this time, such as 30d, or have expired.
    #[arg(long, value_name = "T")]
    pub(crate) expiring_within: Option<Until>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").args(["name", "labels", "expires"]).required(true).multiple(true)))]
pub(crate) struct UpdateCredential {
    /// The credential's id, or its display name if that is unique.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The new name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The new labels, which replace all existing ones; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// When it expires: after a time such as 90d, at a time in RFC 3339, or never. This makes an expired credential
    /// usable again.
    #[arg(long, value_name = "T|never")]
    pub(crate) expires: Option<Expiry>,
    /// Take the new name even if another credential has it; both can then be identified only by their ids.
    #[arg(long, requires = "name")]
    pub(crate) allow_duplicate: bool,
}
