//! References: the verbs of `ReferenceService`. Resolving has a file of its own.

use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::paging::{self, Page};
use crate::store::{Bound, Reassigned, Reassignment, ReferenceFilter, ReferenceRow};
use crate::vault::Vault;

/// A binding to be made.
pub(crate) struct NewReference {
    pub(crate) kind: String,
    pub(crate) consumer: String,
    pub(crate) binding: Binding,
    pub(crate) needs_provider: String,
    pub(crate) fallback_ids: Vec<String>,
}

/// What a reference is bound to.
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

impl Vault {
    pub(crate) async fn bind_reference(&self, caller: &Caller, new: NewReference) -> Result<ReferenceRow> {
        let selection = &caller.principal.selectors;
        if !selection.admits_kind(&new.kind) {
            let selector = format!("reference_kind {}", selection.reference_kinds.join(" or "));
            return Err(self.outside(caller, "BindReference", selector).await);
        }
        self.check_candidates(caller, &new).await?;
        let row = new.into_row(self.now());
        let event = self
            .event(caller, "reference.bound", &target(&row.kind, &row.consumer))
            .with("credential_id", row.credential_id.as_deref().unwrap_or_default())
            .with("via", via(&row))
            .with("fallbacks", row.fallback_ids().collect::<Vec<_>>())
            .finish();
        match self.store.bind_reference(&row, selection, &event).await? {
            Bound::Done(bound) => Ok(bound),
            Bound::Missing(id) => Err(Error::CredentialNotFound(id)),
            Bound::ViaMissing => Err(not_found(&row.via_kind, &row.via_consumer)),
            Bound::ViaIndirect => Err(Error::ViaNotDirect { reference: target(&row.kind, &row.consumer) }),
            Bound::Outside => {
                let selector = "what the reference is bound to now".to_owned();
                Err(self.outside(caller, "BindReference", selector).await)
            }
        }
    }

    /// Each credential must exist for the caller, and be of the provider that is needed.
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
            let row = self.credential_row(caller, &id).await?;
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

    pub(crate) async fn references(
        &self,
        filter: &ReferenceFilter,
        page: &Page<'_>,
    ) -> Result<(Vec<ReferenceRow>, String)> {
        let key = paging::Key::new("references", filter);
        let last = key.open(&self.ring(), page.token)?.unwrap_or_default();
        let after = last.split_once('\0').unwrap_or_default();
        let mut rows = self.store.references(filter, after, page.fetch()).await?;
        let next = page.cut(&mut rows, |row| format!("{}\0{}", row.kind, row.consumer));
        Ok((rows, key.seal(&self.ring(), next)?))
    }

    /// Moves every reference that the caller can see; the number of bindings and fallbacks moved.
    pub(crate) async fn reassign_references(&self, caller: &Caller, from: &str, to: &str) -> Result<i64> {
        self.credential_row(caller, from).await?;
        let provider = self.credential_row(caller, to).await?.provider;
        let moved = Reassignment {
            from,
            to,
            provider: &provider,
            selection: &caller.principal.selectors,
            now: self.now(),
        };
        let event = self.event(caller, "reference.reassigned", from).with("to_credential_id", to).finish();
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

    pub(crate) async fn release_reference(&self, caller: &Caller, kind: &str, consumer: &str) -> Result<()> {
        let selection = &caller.principal.selectors;
        let event = self.event(caller, "reference.released", &target(kind, consumer)).finish();
        if self.store.release_reference(kind, consumer, selection, &event).await? {
            return Ok(());
        }
        Err(not_found(kind, consumer))
    }
}

fn not_found(kind: &str, consumer: &str) -> Error {
    Error::ReferenceNotFound { kind: kind.to_owned(), consumer: consumer.to_owned() }
}

/// `kind/consumer` of the reference that it goes through; empty when bound directly.
pub(crate) fn via(row: &ReferenceRow) -> String {
    if row.via_kind.is_empty() { String::new() } else { target(&row.via_kind, &row.via_consumer) }
}

pub(crate) fn target(kind: &str, consumer: &str) -> String {
    format!("{kind}/{consumer}")
}
