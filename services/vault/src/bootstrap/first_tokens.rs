//! The first tokens of a new vault: an admin's and the backup service's, so that both services become ready without
//! manual steps.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use strongroom_crypto::Token;

use super::read;
use crate::access::Role;
use crate::audit::Event;
use crate::config::VaultConfig;
use crate::error::{Error, Result};
use crate::store::{NewEvent, Store, TokenRow};

/// A first token that the configuration names.
struct First<'a> {
    key: &'static str,
    file: &'a Path,
    name: &'static str,
    role: Role,
}

/// Registers the tokens in the configured files, unless the vault has ever had a token. Creates a file that does not
/// exist.
pub(super) async fn create_first_tokens(store: &dyn Store, config: &VaultConfig, now: i64) -> Result<()> {
    let firsts = configured(config);
    if store.ever_had_tokens().await? {
        report_missing(store).await?;
        return report_unknown(store, &firsts).await;
    }
    if config.admin_token_file.is_none() {
        return Err(Error::Startup(
            "this vault has no token yet; set vault.admin_token_file to the file that the first admin token is \
             written to, or that holds one"
                .into(),
        ));
    }
    // Written before the tokens are registered: a crash in between leaves files that the next start uses.
    let mut rows = Vec::new();
    let mut written = Vec::new();
    for first in &firsts {
        let (token, is_new) = token_of(first.file)?;
        rows.push(registered(first, &token, now));
        written.extend(is_new.then(|| first.file.to_owned()));
    }
    refuse_twins(&rows, &firsts)?;
    if !store.create_first_tokens(&rows).await? {
        // Another process was first; its tokens are in other files.
        written.iter().for_each(|file: &PathBuf| drop(std::fs::remove_file(file)));
    }
    Ok(())
}

fn configured(config: &VaultConfig) -> Vec<First<'_>> {
    let admin = config.admin_token_file.as_deref().map(|file| First {
        key: "vault.admin_token_file",
        file,
        name: "first admin",
        role: Role::Admin,
    });
    let backup = config.backup_token_file.as_deref().map(|file| First {
        key: "vault.backup_token_file",
        file,
        name: "backup service",
        role: Role::BackupService,
    });
    admin.into_iter().chain(backup).collect()
}

/// Token rows are never deleted by the vault, so an empty table means that somebody else deleted them.
async fn report_missing(store: &dyn Store) -> Result<()> {
    if store.tokens((i64::MIN, ""), 1).await?.is_empty() {
        tracing::error!(
            "this vault had tokens, and has none: find out who can write to its database; \
             `strongroom-vault --issue-admin-token FILE` makes an admin token"
        );
    }
    Ok(())
}

/// An operator who replaced a Kubernetes Secret expects its token to work.
async fn report_unknown(store: &dyn Store, firsts: &[First<'_>]) -> Result<()> {
    for First { key, file, role, .. } in firsts.iter().filter(|first| first.file.exists()) {
        let Ok(token) = Token::parse(read(file)?.trim()) else { continue };
        if store.token_by_hash(&token.hash()).await?.is_none() {
            let (file, role) = (file.display(), role.as_str());
            tracing::warn!(
                "{key}: the token in {file} is not of this vault, which registers tokens at its first start only; issue \
                 one with `strongroom token issue NAME --role {role}` and put it into the file"
            );
        }
    }
    Ok(())
}

fn registered(first: &First<'_>, token: &Token, now: i64) -> (TokenRow, NewEvent) {
    let role = first.role.as_str();
    let row = TokenRow {
        name: first.name.into(),
        role: role.into(),
        create_time: now,
        selectors: "{}".into(),
        ..TokenRow::of(token)
    };
    (row, Event::by_system(now, "token.issued", token.id()).with("role", role).of_change().finish())
}

/// A token in both files would only get the first role.
fn refuse_twins(rows: &[(TokenRow, NewEvent)], firsts: &[First<'_>]) -> Result<()> {
    match (rows, firsts) {
        ([(one, _), (two, _)], [first, second]) if one.id == two.id => Err(Error::Startup(format!(
            "{} and {} hold the same token; make another one with `strongroom token new --out FILE`",
            first.key, second.key
        ))),
        _ => Ok(()),
    }
}

/// The token in `file`, or a new one written to it (mode 0600); true if it was written now.
fn token_of(file: &Path) -> Result<(Token, bool)> {
    if file.exists() {
        let text = read(file)?;
        let token = Token::parse(text.trim())
            .map_err(|error| Error::Startup(format!("{}: {error}", file.display())))?;
        return Ok((token, false));
    }
    Ok((write_new(file)?, true))
}

/// A new token, written to `file` (mode 0600), which must not exist.
pub(super) fn write_new(file: &Path) -> Result<Token> {
    let token = Token::generate();
    let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).and_then(
        |mut out| {
            out.write_all(token.expose().as_bytes())?;
            out.write_all(b"\n")?;
            out.sync_all()
        },
    );
    written.map_err(|source| Error::Startup(format!("cannot write {}: {source}", file.display())))?;
    Ok(token)
}
