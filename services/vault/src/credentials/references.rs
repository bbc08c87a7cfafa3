//! References: binding, listing, reassigning and releasing them. `resolution` resolves them.

use std::sync::Arc;

use strongroom_runtime::{Caller, Clock};

use super::Secrets;
use super::lookups::{Candidates, Lookups};
use crate::access::outside_selection;
use crate::audit::{Event, UseLog};
use crate::error::{Error, Result};
use crate::store::{Bound, Reassigned, Reassignment, ReferenceFilter, ReferenceRow, Store};

/// A binding to be created.
pub(crate) struct NewReference {
    pub(crate) kind: String,
    pub(crate) consumer: String,
    pub(crate) binding: Binding,
    pub(crate) needs_provider: String,
    pub(crate) fallback_ids: Vec<String>,
}

/// Target of a reference.
pub(crate) enum Binding {
    Credential(String),
    /// Kind and consumer of another reference.
    Via(String, String),
}

impl NewReference {
    fn into_row(self, now: i64) -> ReferenceRow {
        let (credential_id, (via_kind, via_consumer)) = match self.binding {
            Binding::Credential(id) => (Some(id), Default::default()),
            Binding::Via(kind, consumer) => (None, (kind, consumer)),
        };
        ReferenceRow {
            kind: self.kind,
            consumer: self.consumer,
            credential_id,
            needs_provider: self.needs_provider,
            create_time: now,
            update_time: now,
            via_kind,
            via_consumer,
            fallbacks: self.fallback_ids.join(" "),
        }
    }
}

/// References of consumers to credentials.
pub(crate) struct References {
    store: Arc<dyn Store>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) candidates: Lookups<Candidates>,
    pub(super) uses: Arc<UseLog>,
    clock: Arc<dyn Clock>,
}

impl References {
    /// Starts the task that reads candidates; it ends when this value is dropped.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        secrets: Arc<Secrets>,
        uses: Arc<UseLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let candidates = Lookups::new(Candidates(Arc::clone(&store)));
        Self { store, secrets, candidates, uses, clock }
    }

    pub(crate) async fn bind(&self, caller: &Caller, new: NewReference) -> Result<ReferenceRow> {
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_kind(&new.kind) {
            return Err(self.outside(caller, selector).await);
        }
        self.check_candidates(caller, &new).await?;
        let row = new.into_row(self.now());
        let event = self
            .event(caller, "reference.bound", &target(&row.kind, &row.consumer))
            .with("credential_id", row.credential_id.as_deref().unwrap_or_default())
            .with("via", via(&row))
            .with("fallbacks", row.fallback_ids().collect::<Vec<_>>())
            .of_change()
            .finish();
        match self.store.bind_reference(&row, selection, &event).await? {
            Bound::Done(bound) => Ok(bound),
            Bound::Missing(id) => Err(Error::CredentialNotFound(id)),
            Bound::ViaMissing => Err(not_found(&row.via_kind, &row.via_consumer)),
            Bound::ViaIndirect => Err(Error::ViaNotDirect { reference: target(&row.kind, &row.consumer) }),
            Bound::Outside => {
                let selector = "the current target of the reference".to_owned();
                Err(self.outside(caller, selector).await)
            }
        }
    }

    /// Each credential must be visible to the caller and have the provider that the consumer needs.
    async fn check_candidates(&self, caller: &Caller, new: &NewReference) -> Result<()> {
        let mut ids = new.fallback_ids.clone();
        match &new.binding {
            Binding::Credential(id) => ids.insert(0, id.clone()),
            Binding::Via(kind, consumer) => {
                let template = self.store.reference(kind, consumer, &caller.principal.selectors).await?;
                let template = template.ok_or_else(|| not_found(kind, consumer))?;
                ids.splice(0..0, template.credential_id);
            }
        }
        for id in ids {
            let row = self.secrets.row(caller, &id).await?;
            if !new.needs_provider.is_empty() && new.needs_provider != row.provider {
                return Err(Error::ProviderMismatch {
                    kind: new.kind.clone(),
                    consumer: new.consumer.clone(),
                    needs: new.needs_provider.clone(),
                    has: row.provider,
                });
            }
        }
        Ok(())
    }

    /// References above `after`, in the order (kind, consumer).
    pub(crate) async fn list(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>> {
        Ok(self.store.references(filter, after, limit).await?)
    }

    /// Moves every reference that the caller can see; returns the number of moved bindings and fallbacks.
    pub(crate) async fn reassign(&self, caller: &Caller, from: &str, to: &str) -> Result<i64> {
        self.secrets.row(caller, from).await?;
        let provider = self.secrets.row(caller, to).await?.provider;
        let moved = Reassignment {
            from,
            to,
            provider: &provider,
            selection: &caller.principal.selectors,
            now: self.now(),
        };
        let event = self
            .event(caller, "reference.reassigned", from)
            .with("to_credential_id", to)
            .of_change()
            .finish();
        match self.store.reassign_references(&moved, &event).await? {
            Reassigned::Done(count) => Ok(count),
            Reassigned::Missing(id) => Err(Error::CredentialNotFound(id)),
            Reassigned::Mismatch(row) => Err(Error::ProviderMismatch {
                kind: row.kind,
                consumer: row.consumer,
                needs: row.needs_provider,
                has: provider,
            }),
        }
    }

    pub(crate) async fn release(&self, caller: &Caller, kind: &str, consumer: &str) -> Result<()> {
        let selection = &caller.principal.selectors;
        let event = self.event(caller, "reference.released", &target(kind, consumer)).of_change().finish();
        if self.store.release_reference(kind, consumer, selection, &event).await? {
            return Ok(());
        }
        Err(not_found(kind, consumer))
    }

    async fn outside(&self, caller: &Caller, selector: String) -> Error {
        outside_selection(self.store.as_ref(), self.now(), caller, "BindReference", selector).await
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    pub(super) fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}

fn not_found(kind: &str, consumer: &str) -> Error {
    Error::ReferenceNotFound { kind: kind.to_owned(), consumer: consumer.to_owned() }
}

/// `kind/consumer` of the reference that it goes through; empty if it is bound directly.
pub(crate) fn via(row: &ReferenceRow) -> String {
    if row.via_kind.is_empty() { String::new() } else { target(&row.via_kind, &row.via_consumer) }
}

pub(super) fn target(kind: &str, consumer: &str) -> String {
    format!("{kind}/{consumer}")
}
