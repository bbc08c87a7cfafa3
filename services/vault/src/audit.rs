//! The audit log: reading it, recording what services did, and protecting it against changes.
//!
//! `event` builds events; every change commits with one. `use_log` makes the event of a reveal or decrypt durable
//! before the plaintext leaves. `verify` recomputes the chain, `prune` removes its oldest part after writing a
//! checkpoint, `watch` streams new events, and `head_log` writes the chain's head to the process log. The chain itself
//! is in `store::chain`.

mod event;
mod head_log;
mod prune;
mod use_log;
mod verify;
mod watch;

use std::sync::Arc;

use strongroom_runtime::{Caller, Clock, Shutdown};

use crate::error::Result;
use crate::store::{AuditHead, AuditRow, CloseFilter, EventFilter, NewEvent, Store};

pub(crate) use event::Event;
pub(crate) use head_log::log_head;
pub(crate) use use_log::UseLog;
pub(crate) use verify::{Anchor, Verification};

/// The audit log.
pub(crate) struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Ends watches, which never end by themselves.
    shutdown: Shutdown,
}

impl Audit {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, shutdown: Shutdown) -> Self {
        Self { store, clock, shutdown }
    }

    /// Events with a sequence below `before`, newest first.
    pub(crate) async fn events(
        &self,
        filter: &EventFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>> {
        Ok(self.store.events(filter, before, limit).await?)
    }

    pub(crate) async fn head(&self) -> Result<AuditHead> {
        Ok(self.store.audit_head().await?)
    }

    /// Id of the log.
    pub(crate) async fn chain(&self) -> Result<String> {
        Ok(self.store.audit_chain().await?)
    }

    /// Records an act of the service behind `caller` on behalf of the event's actor.
    pub(crate) async fn record(&self, caller: &Caller, mut event: NewEvent) -> Result<i64> {
        event.time = self.now();
        event.via = caller.principal.id.clone();
        Ok(self.store.append_event(&event).await?)
    }

    /// Closes operations that the service behind `caller`, or a predecessor, left without an end.
    pub(crate) async fn close_operations(&self, caller: &Caller, mut filter: CloseFilter) -> Result<i64> {
        filter.closer = caller.principal.id.clone();
        filter.closer_name = caller.principal.name.clone();
        Ok(self.store.close_operations(&filter, self.now()).await?)
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}
