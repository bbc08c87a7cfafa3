//! The first admin token of a new vault.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use strongroom_crypto::Token;

use super::read;
use crate::access::Role;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{Store, TokenRow};

/// Registers the admin token in `file`, made now if the file does not exist, unless the vault has a token already.
pub(super) async fn create_admin_token(store: &dyn Store, file: Option<&Path>, now: i64) -> Result<()> {
    if store.has_tokens().await? {
        return Ok(());
    }
    let file = file.ok_or_else(|| {
        Error::Startup(
            "this vault has no token yet; set vault.admin_token_file to the file that the first admin token is \
             written to, or that holds one"
                .into(),
        )
    })?;
    // Written before it is registered: a crash between the two leaves a file that the next start takes.
    let (token, written) = admin_token(file)?;
    let row = TokenRow {
        id: token.id().to_owned(),
        hash: token.hash().to_vec(),
        name: "first admin".into(),
        role: Role::Admin.as_str().into(),
        issuer: String::new(),
        create_time: now,
        expire_time: None,
        last_used_time: None,
        revoke_time: None,
        selectors: "{}".into(),
    };
    let event = Event::by_system(now, "token.issued", token.id()).with("role", Role::Admin.as_str()).finish();
    let first = store.create_first_token(&row, &event).await?;
    if written && !first {
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

/// The token in `file`, or a new one written to it (mode 0600); true when it was written now.
fn admin_token(file: &Path) -> Result<(Token, bool)> {
    if file.exists() {
        let text = read(file)?;
        let token = Token::parse(text.trim())
            .map_err(|error| Error::Startup(format!("{}: {error}", file.display())))?;
        return Ok((token, false));
    }
    let token = Token::generate();
    let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).and_then(
        |mut out| {
            out.write_all(token.expose().as_bytes())?;
            out.write_all(b"\n")?;
            out.sync_all()
        },
    );
    written.map_err(|source| Error::Startup(format!("cannot write {}: {source}", file.display())))?;
    Ok((token, true))
}
