//! Opens a vault: its database, its root key and its ring; at the very first start it also creates the first tokens.

mod break_glass;
mod first_tokens;
mod ring;
mod root_keys;

use std::path::Path;
use std::sync::Arc;

use strongroom_runtime::{Clock, Metrics, Shutdown, secret_file};
use strongroom_store::DatabaseUrl;

use crate::access::{Delegations, Grants, Identities, Role, Service, Statements, Tokens};
use crate::audit::{Audit, UseLog};
use crate::config::VaultConfig;
use crate::credentials::{Credentials, References, Secrets};
use crate::crypto::{Ciphertexts, Seals, Signing};
use crate::error::{Error, Result};
use crate::keys::{Approvals, ForeignRings, Keys, Ledger, Merges, Reencryption, Retirement, Ring};
use crate::metrics::VaultMetrics;
use crate::people::{Fitness, People};
use crate::source::{Restoring, Source};
use crate::store::{self, Store};

pub(crate) use break_glass::issue_admin_token;

/// The domain modules of an open vault. `grpc` serves them; each background task takes the ones that it needs.
pub(crate) struct Vault {
    pub(crate) credentials: Credentials,
    pub(crate) references: References,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) identities: Arc<Identities>,
    pub(crate) delegations: Delegations,
    pub(crate) audit: Arc<Audit>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) foreign_rings: Arc<ForeignRings>,
    pub(crate) merges: Arc<Merges>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) people: Arc<People>,
    pub(crate) approvals: Arc<Approvals>,
    pub(crate) retirement: Arc<Retirement>,
    pub(crate) reencryption: Arc<Reencryption>,
    pub(crate) ciphertexts: Arc<Ciphertexts>,
    pub(crate) signing: Signing,
    pub(crate) seals: Seals,
    pub(crate) source: Source,
    pub(crate) grants: Arc<Grants>,
    pub(crate) restoring: Restoring,
    pub(crate) ring: Arc<Ring>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: VaultMetrics,
}

/// Opens the vault, and creates its ring and its first tokens at the first start.
pub(crate) async fn open(
    config: &VaultConfig,
    identities: Identities,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    metrics: &Metrics,
) -> Result<Vault> {
    let now = clock.now_micros();
    let OpenStore { store, ring, database } = open_store(config, now, true).await?;
    first_tokens::create_first_tokens(store.as_ref(), config, now).await?;
    tracing::info!(%database, root_key = %ring.root_key_id(), "the vault is open");
    let ring = Arc::new(ring);
    let metrics = VaultMetrics::new(metrics, &ring, &store, &database);
    Ok(build(store, ring, database, identities, clock, shutdown, metrics))
}

/// A database and the ring stored in it.
struct OpenStore {
    store: Arc<dyn Store>,
    ring: Ring,
    database: DatabaseUrl,
}

/// Opens the database and the ring. If there is no ring, one is created, provided that `may_create` is set.
async fn open_store(config: &VaultConfig, now: i64, may_create: bool) -> Result<OpenStore> {
    let root = root_keys::current_root_key(config)?;
    let previous = root_keys::previous_root_keys(config)?;
    let database = database_url(config)?;
    let store = store::open(&database).await?;
    if !may_create && store.root_keys().await?.is_empty() {
        return Err(Error::Startup(format!(
            "there is no vault in {database} yet; start strongroom-vault without --issue-admin-token: it creates the \
             vault and its first admin token"
        )));
    }
    let roots = std::iter::once(root).chain(previous).collect();
    let ring = ring::open_ring(&store, roots, now).await?;
    Ok(OpenStore { store, ring, database })
}

/// Gives each domain module the parts that it needs.
fn build(
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    database: DatabaseUrl,
    identities: Identities,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
    metrics: VaultMetrics,
) -> Vault {
    let identities = Arc::new(identities);
    let (s, r, c) = (|| Arc::clone(&store), || Arc::clone(&ring), || Arc::clone(&clock));
    let uses = Arc::new(UseLog::new(s(), metrics.uses.clone()));
    let secrets = Arc::new(Secrets::new(s(), r(), c()));
    let ledger = Arc::new(Ledger::new(s(), c()));
    let tokens = Arc::new(Tokens::new(s(), Arc::clone(&identities), c(), metrics.access.clone()));
    let (role, service) = (Role::Admin.as_str(), Service::Vault.as_str());
    let fitness = Fitness { role, service, identities: identities.admins() };
    let people = Arc::new(People::new(s(), identities.principals(), fitness, c()));
    let approvals = Arc::new(Approvals::new(s(), Arc::clone(&people), c()));
    let (rings, merges) = (Arc::new(ForeignRings::new(s(), r())), Arc::new(Merges::new(s(), r(), c())));
    let statements = Arc::new(Statements::new(r(), Arc::clone(&tokens), Arc::clone(&identities)));
    let grants = Arc::new(Grants::new(s(), Arc::clone(&statements), c()));
    let restoring =
        Restoring::new(s(), r(), (Arc::clone(&rings), Arc::clone(&merges)), Arc::clone(&grants), c());
    let retirement = Retirement::new(s(), r(), Arc::clone(&ledger), Arc::clone(&approvals), c());
    Vault {
        credentials: Credentials::new(s(), Arc::clone(&secrets), Arc::clone(&uses), r(), c()),
        references: References::new(s(), secrets, Arc::clone(&uses), c()),
        delegations: Delegations::new(s(), statements, c()),
        tokens,
        identities,
        audit: Arc::new(Audit::new(s(), c(), shutdown)),
        keys: Arc::new(Keys::new(s(), r(), c())),
        foreign_rings: rings,
        merges,
        ledger,
        people,
        approvals,
        retirement: Arc::new(retirement),
        reencryption: Arc::new(Reencryption::new(s(), r(), c(), metrics.reencrypt.clone())),
        ciphertexts: Arc::new(Ciphertexts::new(r(), Arc::clone(&uses), c())),
        signing: Signing::new(s(), r(), Arc::clone(&uses), c()),
        seals: Seals::new(r(), uses, c()),
        source: Source::new(database),
        grants,
        restoring,
        ring,
        store,
        clock,
        metrics,
    }
}

fn database_url(config: &VaultConfig) -> Result<DatabaseUrl> {
    let text = match &config.database_url_file {
        Some(file) => read(file)?,
        None => config.database_url.clone(),
    };
    Ok(DatabaseUrl::parse(text.trim())?)
}

fn read(file: &Path) -> Result<String> {
    Ok(secret_file::read_text(file)?)
}
