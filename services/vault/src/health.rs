//! What the vault needs in order to serve.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::health::{Check, Fault};

use crate::bootstrap::Vault;
use crate::keys::Ring;
use crate::metrics::AuditMetrics;
use crate::store::Store;

const DATABASE: &str = "database";
const ROOT_KEY: &str = "root key";

/// By name, as `/readyz` lists them.
pub(crate) const DEPENDENCIES: &[&str] = &[DATABASE, ROOT_KEY];

/// How each of them is looked at.
pub(crate) fn checks(vault: &Vault) -> Vec<(&'static str, Arc<dyn Check>)> {
    let database = Database { store: Arc::clone(&vault.store), metrics: vault.metrics.audit.clone() };
    vec![(DATABASE, Arc::new(database)), (ROOT_KEY, Arc::new(RootKey(Arc::clone(&vault.ring))))]
}

/// It answers a statement: the one for the newest event, which is a metric too.
struct Database {
    store: Arc<dyn Store>,
    metrics: AuditMetrics,
}

#[async_trait]
impl Check for Database {
    async fn check(&self) -> Result<(), Fault> {
        let head = self.store.audit_head().await.map_err(|error| error.to_string())?;
        self.metrics.set(&head);
        Ok(())
    }
}

/// It opens the key ring that is stored, also after another process has changed that.
struct RootKey(Arc<Ring>);

#[async_trait]
impl Check for RootKey {
    async fn check(&self) -> Result<(), Fault> {
        self.0.unopened().map_or(Ok(()), |reason| Err(Fault::Own(reason)))
    }
}
