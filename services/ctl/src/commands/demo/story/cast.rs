//! The actors of the story: an admin, and a gateway with fewer rights.

use std::path::Path;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::IssueTokenRequest;
use strongroom_runtime::client::Bearer;

use crate::client::{Connection, Service, unary};
use crate::embedded::Embedded;
use crate::files;

/// The callers of the story, one connection each.
pub(super) struct Cast {
    /// Holds the first admin token.
    pub(super) vault: Connection,
    /// The same person at the backup service.
    pub(super) backup: Connection,
    /// A token of the role `gateway`: it can reveal, but not export.
    pub(super) gateway: Connection,
    /// That token, and its public id.
    pub(super) gateway_token: (Bearer, String),
}

impl Cast {
    pub(super) async fn assemble(embedded: &Embedded, folder: &Path) -> Result<Self> {
        let admin = Bearer::new(&files::read_token(&folder.join("admin.token"))?)?;
        let vault = Connection::new(Service::Vault, embedded.vault(), admin.clone())?;
        let backup = Connection::new(Service::Backup, embedded.backup(), admin)?;
        let request =
            IssueTokenRequest { name: "gateway".into(), role: "gateway".into(), ..Default::default() };
        let issued = vault.answer(vault.tokens().issue_token(unary(request))).await?;
        let bearer = Bearer::new(&issued.secret)?;
        let gateway = Connection::new(Service::Vault, embedded.vault(), bearer.clone())?;
        let id = issued.token.context("the vault answered without a token")?.id;
        Ok(Self { vault, backup, gateway, gateway_token: (bearer, id) })
    }
}
