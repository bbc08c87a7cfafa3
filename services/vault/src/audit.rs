//! The audit log: its verbs, and one file for each thing that makes it trustworthy.

mod chain;
mod event;
mod head_log;
mod prune;
mod verify;
mod watch;

use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::paging::{self, Page};
use crate::store::{AuditHead, AuditRow, CloseFilter, EventFilter, NewEvent};
use crate::vault::Vault;

pub(crate) use chain::{ChainKey, START};
pub(crate) use event::{Event, outcome};
pub(crate) use head_log::log_head;
pub(crate) use verify::{Anchor, Verification};
#[cfg(test)]
pub(crate) use {chain::tests::audit_ring, verify::Verifier};

/// What a service may record; everything else is the vault's own.
const SERVICE_EVENTS: &[&str] = &["backup.", "restore.", "schedule.", "drill.", "access."];

impl Vault {
    pub(crate) async fn audit_events(
        &self,
        filter: &EventFilter,
        page: &Page<'_>,
    ) -> Result<(Vec<AuditRow>, String)> {
        let key = paging::Key::new("audit", filter);
        let before = match key.open(&self.ring(), page.token)? {
            Some(last) => last.parse().map_err(|_| paging::foreign_token())?,
            None => i64::MAX,
        };
        let mut rows = self.store.events(filter, before, page.fetch()).await?;
        let next = page.cut(&mut rows, |row| row.sequence.to_string());
        Ok((rows, key.seal(&self.ring(), next)?))
    }

    pub(crate) async fn audit_head(&self) -> Result<AuditHead> {
        Ok(self.store.audit_head().await?)
    }

    /// Records what the service behind `caller` did for somebody.
    pub(crate) async fn record_event(&self, caller: &Caller, mut event: NewEvent) -> Result<i64> {
        check_event_name("event.event", &event.event)?;
        event.time = self.now();
        event.via = caller.principal.id.clone();
        Ok(self.store.append_event(&event).await?)
    }

    pub(crate) async fn close_operations(&self, caller: &Caller, mut filter: CloseFilter) -> Result<i64> {
        check_event_name("started_event", &filter.started_event)?;
        check_event_name("ended_event", &filter.ended_event)?;
        filter.via = caller.principal.id.clone();
        Ok(self.store.close_operations(&filter, self.now()).await?)
    }
}

fn check_event_name(field: &'static str, event: &str) -> Result<()> {
    let family =
        SERVICE_EVENTS.iter().find(|family| event.starts_with(**family) && event.len() > family.len());
    let plain = event.len() <= 100
        && event.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_'));
    if family.is_some() && plain {
        return Ok(());
    }
    let problem = format!("must be a lower-case name below {}", SERVICE_EVENTS.join(", "));
    Err(Error::Field { field, problem })
}

#[cfg(test)]
mod tests {
    use super::check_event_name;

    #[test]
    fn services_cannot_write_the_vaults_own_events() {
        for allowed in ["backup.exported", "restore.applied", "access.denied"] {
            assert!(check_event_name("event", allowed).is_ok(), "{allowed}");
        }
        for refused in ["credential.created", "backup.", "backup", "", "backup.Exported", "token.issued"] {
            assert!(check_event_name("event", refused).is_err(), "{refused}");
        }
    }
}
