//! `strongroom reference`.

use clap::{ArgGroup, Args, Subcommand};

use super::values::consumer;

#[derive(Debug, Subcommand)]
pub(crate) enum ReferenceCommand {
    /// Bind a consumer to a credential, or to the credential of another consumer.
    ///
    /// Binding it again replaces its credential and its fallbacks.
    Bind(BindReference),
    /// Remove a consumer's reference.
    Release(Consumer),
    /// Print the secret that a consumer gets, and nothing else.
    ///
    /// The first usable candidate provides it: the consumer's credential, or that of the consumer given by --via, then
    /// the fallbacks in order. Skipped candidates are named on standard error. The audit log records the call.
    Resolve(Consumer),
    /// Move every reference from one credential to another, all or none.
    Reassign {
        /// The credential to replace: its id, or its display name if that is unique.
        #[arg(long, value_name = "ID")]
        from: String,
        /// The new credential.
        #[arg(long, value_name = "ID")]
        to: String,
    },
    /// List references by kind and consumer.
    List {
        /// Only references to this credential: its id, or its display name if that is unique.
        #[arg(long, value_name = "ID")]
        credential: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Consumer {
    /// endpoint, provider_template, wrapper_provider_setting, pii_config, or any other lower-case name.
    pub(crate) kind: String,
    /// The consumer's own id or name, unique within its kind.
    pub(crate) consumer: String,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bound to").args(["id", "via"]).required(true))]
// clap would print the group before the positional arguments.
#[command(override_usage = "strongroom reference bind [OPTIONS] <KIND> <CONSUMER> <ID|--via KIND/CONSUMER>")]
pub(crate) struct BindReference {
    #[command(flatten)]
    pub(crate) consumer: Consumer,
    /// The credential's id, or its display name if that is unique; instead of --via.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The provider that the consumer needs; a credential of another provider is refused.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) needs_provider: Option<String>,
    /// Instead of a credential: another consumer, bound directly, whose credential is used. For example,
    /// provider_template/2 lets an endpoint use the credential of its template.
    #[arg(long, value_name = "KIND/CONSUMER", value_parser = consumer)]
    pub(crate) via: Option<String>,
    /// A credential to use if those before it cannot be used; may be repeated, in order.
    #[arg(long = "fallback", value_name = "ID")]
    pub(crate) fallbacks: Vec<String>,
}
