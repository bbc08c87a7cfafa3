//! Watching: events as they are committed, oldest first, without gaps.
//!
//! Sequences are given out under the head's lock, so an event is visible only after all before it are: reading on
//! from the last one misses nothing. Polling sees what other replicas write too.

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use strongroom_runtime::Caller;
use tokio_stream::Stream;

use crate::error::{Error, Result};
use crate::store::{AuditRow, EventFilter};
use crate::vault::Vault;

const POLL: Duration = Duration::from_millis(500);
/// A revocation must be felt within five seconds, by a watcher too.
const CHECK_TOKEN: u32 = 4;
const PAGE: i64 = 500;

impl Vault {
    /// Events above `after` that match; negative means those from now on. It ends when the caller's token does,
    /// and when the vault stops.
    pub(crate) fn watch_audit(
        self: &Arc<Self>,
        caller: &Caller,
        filter: EventFilter,
        after: i64,
    ) -> impl Stream<Item = Result<AuditRow>> + Send + use<> {
        let (vault, actor) = (Arc::clone(self), caller.principal.id.clone());
        try_stream! {
            let mut after = if after < 0 { vault.audit_head().await?.sequence } else { after };
            for polls in 0_u32.. {
                if polls % CHECK_TOKEN == 0 && !vault.may_go_on(&actor).await? {
                    Err(Error::TokenEnded)?;
                }
                let through = vault.audit_head().await?.sequence;
                while after < through {
                    let page = vault.store.events_after(&filter, after, through, PAGE).await?;
                    let full = page.len() as i64 == PAGE;
                    after = page.last().filter(|_| full).map_or(through, |last| last.sequence);
                    for event in page {
                        yield event;
                    }
                }
                if vault.shutdown.unless_begun(tokio::time::sleep(POLL)).await.is_none() {
                    Err(Error::Stopping)?;
                }
            }
        }
    }

    /// Whether the token that `actor` names is still valid.
    async fn may_go_on(&self, actor: &str) -> Result<bool> {
        let Some(id) = actor.strip_prefix("token:") else { return Ok(true) };
        let Some(token) = self.store.token(id).await? else { return Ok(false) };
        Ok(token.revoke_time.is_none() && token.expire_time.is_none_or(|expiry| expiry > self.now()))
    }
}
