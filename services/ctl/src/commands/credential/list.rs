//! Lists credentials: the vault answers in pages, and operators want all of them.

use anyhow::Result;
use strongroom_api::vault::v1::{Credential, ListCredentialsRequest};

use crate::client::{Connection, unary};

/// All pages of `request`.
pub(in crate::commands) async fn list_credentials(
    vault: &Connection,
    mut request: ListCredentialsRequest,
) -> Result<Vec<Credential>> {
    let mut credentials = Vec::new();
    loop {
        let page = vault.answer(vault.credentials().list_credentials(unary(request.clone()))).await?;
        credentials.extend(page.credentials);
        if page.next_page_token.is_empty() {
            return Ok(credentials);
        }
        request.page_token = page.next_page_token;
    }
}
