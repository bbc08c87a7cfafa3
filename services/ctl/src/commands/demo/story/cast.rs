//! Who acts in the story: an admin, and a gateway that may do less.

use std::path::Path;

use anyhow::Result;
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
    /// A token of the role `gateway`: may reveal, may not export.
    pub(super) gateway: Connection,
}

impl Cast {
    pub(super) async fn assemble(embedded: &Embedded, folder: &Path) -> Result<Self> {
        let admin = Bearer::new(&files::read_token(&folder.join("admin.token"))?)?;
        let vault = Connection::new(Service::Vault, embedded.vault(), admin.clone())?;
        let backup = Connection::new(Service::Backup, embedded.backup(), admin)?;
        let request =
            IssueTokenRequest { name: "gateway".into(), role: "gateway".into(), ..Default::default() };
        let issued = vault.answer(vault.tokens().issue_token(unary(request))).await?;
        let gateway = Connection::new(Service::Vault, embedded.vault(), Bearer::new(&issued.secret)?)?;
        Ok(Self { vault, backup, gateway })
    }
}
