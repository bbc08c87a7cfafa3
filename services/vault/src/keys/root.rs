//! Changes the root key: the ring's versions are wrapped again; sealed values stay as they are.

use strongroom_crypto::{KeyVersion, RootKey};

use super::ring::wrapped_version;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{KeyVersionRow, RootKeyRow, Store};

/// Attempts when the ring changes during the re-wrapping.
const ATTEMPTS: usize = 5;

/// Makes `roots[0]` the vault's root key, unless it already is. The previous root key must be among the others.
///
/// # Errors
/// A sentence for the operator if the vault's root key was not given.
pub(crate) async fn change_root_key(store: &dyn Store, roots: &[RootKey], now: i64) -> Result<()> {
    let current = &roots[0];
    for _ in 0..ATTEMPTS {
        let known = store.root_keys().await?;
        let newest = known.last().ok_or_else(|| Error::Inconsistent("root_keys is empty".into()))?;
        let Err(wrong) = current.verify_check_value(&newest.check_value) else { return Ok(()) };
        if !roots[1..].iter().any(|root| root.verify_check_value(&newest.check_value).is_ok()) {
            return Err(wrong.into());
        }
        if rewrap_ring(store, roots, newest, now).await? {
            tracing::info!(from = %newest.id, to = %current.id(), "the root key was changed");
            return Ok(());
        }
    }
    Err(Error::Startup("the key ring keeps changing while the root key is changed; start again".into()))
}

async fn rewrap_ring(store: &dyn Store, roots: &[RootKey], newest: &RootKeyRow, now: i64) -> Result<bool> {
    let current = &roots[0];
    let all: Vec<&RootKey> = roots.iter().collect();
    let mut rewrapped = Vec::new();
    for row in store.key_versions().await? {
        let version = KeyVersion::rewrap(&all, &wrapped_version(&row)?, current)?;
        // Destroyed versions too: this root key now authenticates their state.
        let root_key_id = current.id().to_string();
        rewrapped.push(KeyVersionRow { root_key_id, wrapped: version.wrapped, ..row });
    }
    let id = current.id().to_string();
    let event = Event::by_system(now, "key.root_changed", &id)
        .with("from", newest.id.as_str())
        .with("to", id.as_str())
        .finish();
    // Later than the previous root key, even if the clocks of two machines differ.
    let create_time = now.max(newest.create_time + 1);
    let root = RootKeyRow { id, check_value: current.check_value().to_vec(), create_time };
    Ok(store.change_root_key(&newest.id, &root, &rewrapped, &event).await?)
}
