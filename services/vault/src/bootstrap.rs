//! Opening a vault: its database, its root key, its ring, and at the very first start its admin token.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use strongroom_crypto::{RootKey, Token};
use strongroom_runtime::{Clock, Shutdown, secret_file};
use strongroom_store::DatabaseUrl;

use crate::audit::{ChainKey, Event};
use crate::config::VaultConfig;
use crate::error::{Error, Result};
use crate::keys::{Jobs, change_root_key, first_versions};
use crate::log::UseLog;
use crate::lookups::{Candidates, Credentials, Lookups};
use crate::principals::Principals;
use crate::ring::{self, OpenRing};
use crate::store::{self, RootKeyRow, Store, TokenRow};
use crate::vault::Vault;

/// Opens everything, making what a first start makes.
pub(crate) async fn open(config: &VaultConfig, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Result<Vault> {
    let root = current_root_key(config)?;
    let previous = previous_root_keys(config)?;
    let database = database_url(config)?;
    let store = store::open(&database).await?;
    let now = clock.now_micros();
    let roots = std::iter::once(root).chain(previous).collect();
    let ring = open_ring(store.as_ref(), roots, now).await?;
    create_admin_token(store.as_ref(), config.admin_token_file.as_deref(), now).await?;
    let log = UseLog::new(Arc::<dyn Store>::clone(&store));
    let rows = Lookups::new(Credentials(Arc::clone(&store)));
    let candidates = Lookups::new(Candidates(Arc::clone(&store)));
    let (jobs, principals) = (Jobs::new(), Principals::new());
    Ok(Vault { store, log, rows, candidates, ring, jobs, principals, clock, shutdown, database })
}

fn database_url(config: &VaultConfig) -> Result<DatabaseUrl> {
    let text = match &config.database_url_file {
        Some(file) => read(file)?,
        None => config.database_url.clone(),
    };
    Ok(DatabaseUrl::parse(text.trim())?)
}

/// The configuration wins over the environment: it may itself be overridden by
/// `STRONGROOM_VAULT__ROOT_KEY_FILE`, and a process that names a file never takes another key by accident.
fn current_root_key(config: &VaultConfig) -> Result<RootKey> {
    if let Some(file) = &config.root_key_file {
        return root_key_from(file);
    }
    if let Some(file) = std::env::var_os("STRONGROOM_ROOT_KEY_FILE") {
        return root_key_from(Path::new(&file));
    }
    if let Ok(text) = std::env::var("STRONGROOM_ROOT_KEY") {
        return RootKey::parse(&text)
            .map_err(|error| Error::Startup(format!("STRONGROOM_ROOT_KEY: {error}")));
    }
    Err(Error::Startup(
        "no root key was given; make one with `strongroom key new-root --out FILE` and set \
         STRONGROOM_ROOT_KEY_FILE or vault.root_key_file to that file"
            .into(),
    ))
}

fn previous_root_keys(config: &VaultConfig) -> Result<Vec<RootKey>> {
    config.previous_root_key_files.iter().map(|file| root_key_from(file)).collect()
}

fn root_key_from(file: &Path) -> Result<RootKey> {
    let text = read(file)?;
    RootKey::parse(&text).map_err(|error| Error::Startup(format!("{}: {error}", file.display())))
}

fn read(file: &Path) -> Result<String> {
    Ok(secret_file::read_text(file)?)
}

/// Opens the stored ring, making it at a first start, and chains the audit log with it.
async fn open_ring(store: &dyn Store, roots: Vec<RootKey>, now: i64) -> Result<OpenRing> {
    if store.root_keys().await?.is_empty() {
        create_ring(store, &roots, now).await?;
    }
    // A change of the root key is an event too. A wrong root key opens nothing here and is named below.
    if let Ok(stored) = ring::open(&roots, &store.key_versions().await?) {
        store.set_chain(ChainKey::primary(&stored)?);
    }
    change_root_key(store, &roots, now).await?;
    let ring = OpenRing::open(roots, store).await?;
    store.set_chain(ChainKey::primary(&ring.current())?);
    Ok(ring)
}

/// The event of the ring's creation is the chain's first: it is chained by the ring that it creates.
async fn create_ring(store: &dyn Store, roots: &[RootKey], now: i64) -> Result<()> {
    let root = &roots[0];
    let versions = first_versions(root, now);
    store.set_chain(ChainKey::primary(&ring::open(roots, &versions)?)?);
    let id = root.id().to_string();
    let event = Event::by_system(now, "key.ring_created", &id).finish();
    let row = RootKeyRow { id, check_value: root.check_value().to_vec(), create_time: now };
    // Of two first starts at once one writes; the other finds that ring.
    store.create_ring(&row, &versions, &event).await?;
    Ok(())
}

async fn create_admin_token(store: &dyn Store, file: Option<&Path>, now: i64) -> Result<()> {
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
        role: "admin".into(),
        issuer: String::new(),
        create_time: now,
        expire_time: None,
        last_used_time: None,
        revoke_time: None,
        selectors: "{}".into(),
    };
    let event = Event::by_system(now, "token.issued", token.id()).with("role", "admin").finish();
    let first = store.create_first_token(&row, &event).await?;
    if written && !first {
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

/// The token in `file`, or a new one written to it; true when it was written now.
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
