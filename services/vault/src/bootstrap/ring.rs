//! The key ring at start-up: created at the first start, re-wrapped when the root key has changed, then opened.

use std::sync::Arc;

use strongroom_crypto::RootKey;
use uuid::Uuid;

use crate::audit::Event;
use crate::error::Result;
use crate::keys::{Ring, change_root_key, first_versions, open_rows};
use crate::store::{ChainKey, RootKeyRow, StateKeys, Store};

/// Opens the stored ring with `roots`, the current root key first; creates it at the first start.
pub(super) async fn open_ring(store: &Arc<dyn Store>, roots: Vec<RootKey>, now: i64) -> Result<Ring> {
    store.set_state_keys(StateKeys::of(&roots));
    if store.root_keys().await?.is_empty() {
        create_ring(store.as_ref(), &roots, now).await?;
    }
    // A change of the root key is an event too. A wrong root key opens nothing here; the error below names it.
    if let Ok(versions) = store.key_versions().await
        && let Ok(stored) = open_rows(&roots, &versions)
    {
        store.set_chain(ChainKey::primary(&stored)?);
    }
    change_root_key(store.as_ref(), &roots, now).await?;
    Ring::open(roots, Arc::clone(store)).await
}

/// The event of the ring's creation is the chain's first, chained by a key of the ring that it creates.
async fn create_ring(store: &dyn Store, roots: &[RootKey], now: i64) -> Result<()> {
    let root = &roots[0];
    let versions = first_versions(root, now);
    store.set_chain(ChainKey::primary(&open_rows(roots, &versions)?)?);
    let id = root.id().to_string();
    let event = Event::by_system(now, "key.ring_created", &id).finish();
    let row = RootKeyRow { id, check_value: root.check_value().to_vec(), create_time: now };
    // If two processes start at once, one writes and the other finds that ring.
    let deployment_id = Uuid::now_v7().to_string();
    store.create_ring(&row, &deployment_id, &versions, &event).await?;
    Ok(())
}
