//! Break-glass: an admin token for a vault whose admin tokens are lost. Making one takes the vault's database and root
//! key. The token belongs to no person, and the audit log records how it was made.

use std::path::Path;

use super::first_tokens::write_new;
use super::{OpenStore, open_store};
use crate::access::Role;
use crate::audit::Event;
use crate::config::VaultConfig;
use crate::error::Result;
use crate::store::TokenRow;

/// Writes a new admin token to `file` (mode 0600), which must not exist, and registers it. The vault can run meanwhile.
pub(crate) async fn issue_admin_token(config: &VaultConfig, file: &Path, now: i64) -> Result<()> {
    let OpenStore { store, .. } = open_store(config, now, false).await?;
    let token = write_new(file)?;
    let row = TokenRow {
        name: "break-glass admin".into(),
        role: Role::Admin.as_str().into(),
        create_time: now,
        selectors: "{}".into(),
        break_glass: true,
        ..TokenRow::of(&token)
    };
    let event = Event::by_system(now, "token.issued", token.id())
        .with("role", row.role.as_str())
        .with("reason", "break-glass")
        .of_change()
        .finish();
    if let Err(error) = store.create_token(&row, &event).await {
        // The token is not registered; left in its file, it would be taken for a valid one.
        let _ = std::fs::remove_file(file);
        return Err(error.into());
    }
    tracing::info!(token = token.id(), file = %file.display(), "a new admin token was written");
    Ok(())
}
