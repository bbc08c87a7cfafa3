//! Watching: streams events as they are committed, oldest first, without gaps.
//!
//! Sequences are assigned under the head's lock, so an event becomes visible only after all earlier ones. Reading on
//! from the last one therefore misses nothing, and polling also finds the events of other replicas.

use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use strongroom_runtime::Caller;
use tokio_stream::Stream;

use super::Audit;
use crate::error::{Error, Result};
use crate::store::{AuditRow, EventFilter, TOKEN};

const POLL: Duration = Duration::from_millis(500);
/// A revocation must take effect within five seconds, for a watcher too.
const CHECK_TOKEN: u32 = 4;
const PAGE: i64 = 500;

impl Audit {
    /// Matching events above `after`; a negative `after` means events from now on. The stream ends when the caller's
    /// token ends or the vault stops.
    pub(crate) fn watch(
        self: &Arc<Self>,
        caller: &Caller,
        filter: EventFilter,
        after: i64,
    ) -> impl Stream<Item = Result<AuditRow>> + Send + use<> {
        let (audit, caller) = (Arc::clone(self), caller.clone());
        try_stream! {
            let mut after = if after < 0 { audit.head().await?.sequence } else { after };
            for polls in 0_u32.. {
                if polls % CHECK_TOKEN == 0 && !audit.may_go_on(&caller).await? {
                    Err(Error::TokenEnded)?;
                }
                let through = audit.head().await?.sequence;
                while after < through {
                    let page = audit.store.events_after(&filter, after, through, PAGE).await?;
                    let full = page.len() as i64 == PAGE;
                    after = page.last().filter(|_| full).map_or(through, |last| last.sequence);
                    for event in page {
                        yield event;
                    }
                }
                if audit.shutdown.unless_begun(tokio::time::sleep(POLL)).await.is_none() {
                    Err(Error::Stopping)?;
                }
            }
        }
    }

    /// Whether the caller's token still has the secret that was sent, and the token and its issuers are valid.
    /// Identities do not change while this process runs.
    async fn may_go_on(&self, caller: &Caller) -> Result<bool> {
        let Some(id) = caller.principal.id.strip_prefix(TOKEN) else { return Ok(true) };
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        let has_secret = lineages.token(id).is_some_and(|token| token.hash == caller.principal.token_hash);
        Ok(has_secret && lineages.ended(id, self.now(), |_| true).is_none())
    }
}
