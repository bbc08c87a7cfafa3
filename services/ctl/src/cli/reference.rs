//! `strongroom reference`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ReferenceCommand {
    /// Bind a consumer to a credential. Binding it again replaces the credential.
    Bind(BindReference),
    /// Remove a consumer's reference.
    Release(Consumer),
    /// List references by kind and consumer.
    List {
        /// Only those to this credential: its id, or its display name where that is unique.
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
pub(crate) struct BindReference {
    #[command(flatten)]
    pub(crate) consumer: Consumer,
    /// The credential's id, or its display name where that is unique.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The provider that the consumer needs; a credential of another one is refused.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) needs_provider: Option<String>,
}
