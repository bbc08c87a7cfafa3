//! Health checks of the vault's dependencies.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::health::{Check, Fault};

use crate::bootstrap::Vault;
use crate::keys::Ring;
use crate::metrics::AuditMetrics;
use crate::store::Store;

const DATABASE: &str = "database";
const ROOT_KEY: &str = "root key";

/// Names of the dependencies, as `/readyz` lists them.
pub(crate) const DEPENDENCIES: &[&str] = &[DATABASE, ROOT_KEY];

/// The check of each dependency.
pub(crate) fn checks(vault: &Vault) -> Vec<(&'static str, Arc<dyn Check>)> {
    let database = Database { store: Arc::clone(&vault.store), metrics: vault.metrics.audit.clone() };
    vec![(DATABASE, Arc::new(database)), (ROOT_KEY, Arc::new(RootKey(Arc::clone(&vault.ring))))]
}

/// Healthy if it answers the query for the newest event, which also feeds metrics.
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

/// Healthy if the stored key ring opens, including after another process has changed it.
struct RootKey(Arc<Ring>);

#[async_trait]
impl Check for RootKey {
    async fn check(&self) -> Result<(), Fault> {
        self.0.unopened().map_or(Ok(()), |reason| Err(Fault::Own(reason)))
    }
}
