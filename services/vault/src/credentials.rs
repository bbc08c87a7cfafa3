//! Provider credentials and the references through which consumers use them.
//!
//! [`Credentials`] creates, lists, changes and deletes credentials; its methods that reveal and rotate them are in
//! `reveal` and `rotation`. [`Secrets`] reads and opens their sealed secrets, for many callers in one statement
//! (`lookups`). [`References`] binds consumers to credentials; `resolution` finds the credential that a consumer uses
//! now. `idempotency` recognises repeated requests.

mod idempotency;
mod lookups;
mod references;
mod resolution;
mod reveal;
mod rotation;
mod secrets;

use std::sync::Arc;

use serde_json::json;
use strongroom_crypto::{SecretBytes, preview};
use strongroom_runtime::{Caller, Clock, Selectors};
use uuid::Uuid;

use crate::access::outside_selection;
use crate::audit::{Event, UseLog};
use crate::error::{Error, Result};
use crate::keys::Ring;
use crate::store::{
    Changed, Credential, CredentialChange, CredentialFilter, CredentialRow, Labels, Once, Stats, Store,
};
use idempotency::{Fingerprint, Idempotency};

pub(crate) use references::{Binding, NewReference, References, via};
pub(crate) use resolution::Skipped;
pub(crate) use rotation::Rotation;
pub(crate) use secrets::Secrets;

/// A credential to be created.
pub(crate) struct NewCredential {
    pub(crate) display_name: String,
    pub(crate) provider: String,
    pub(crate) secret: SecretBytes,
    pub(crate) labels: Labels,
    pub(crate) expire_time: Option<i64>,
    pub(crate) request_id: Option<String>,
}

impl NewCredential {
    fn fingerprint(&self) -> Fingerprint<'_> {
        let fields = json!([self.display_name, self.provider, self.labels, self.expire_time]);
        Fingerprint { fields, secret: self.secret.expose() }
    }
}

/// Credentials.
pub(crate) struct Credentials {
    store: Arc<dyn Store>,
    secrets: Arc<Secrets>,
    uses: Arc<UseLog>,
    idempotency: Idempotency,
    clock: Arc<dyn Clock>,
}

impl Credentials {
    /// `ring` authenticates remembered requests.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        secrets: Arc<Secrets>,
        uses: Arc<UseLog>,
        ring: Arc<Ring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let idempotency = Idempotency::new(ring, Arc::clone(&clock));
        Self { store, secrets, uses, idempotency, clock }
    }

    pub(crate) async fn create(&self, caller: &Caller, new: NewCredential) -> Result<Credential> {
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&new.provider, &new.labels) {
            return Err(self.outside(caller, "CreateCredential", selector).await);
        }
        let id = Uuid::now_v7().to_string();
        let now = self.now();
        let secret = self.secrets.seal_current(&id, &new.secret)?;
        let row = CredentialRow {
            id: id.clone(),
            display_name: new.display_name.clone(),
            provider: new.provider.clone(),
            secret,
            preview: preview(new.secret.expose()),
            active: true,
            create_time: now,
            update_time: now,
            last_used_time: None,
            expire_time: new.expire_time,
            revision: 1,
            labels: String::new(),
            secret_time: now,
            deactivate_time: None,
        };
        let event = self
            .event(caller, "credential.created", &id)
            .with("display_name", row.display_name.as_str())
            .with("provider", row.provider.as_str())
            .of_change()
            .finish();
        let Some(request_id) = &new.request_id else {
            self.store.create_credential(&row, &new.labels, &event).await?;
            return self.get(caller, &id).await;
        };
        let request =
            self.idempotency.claim(caller, "CreateCredential", request_id, &new.fingerprint(), &id)?;
        let id = match self.store.create_credential_once(&row, &new.labels, &request, &event).await? {
            Once::First(()) => id,
            Once::Repeated(earlier) => self.idempotency.repeated(earlier, &new.fingerprint())?,
        };
        self.get(caller, &id).await
    }

    /// Succeeds if [`Self::create`] would create the credential, or has already done so for the same request id.
    pub(crate) async fn check_new(&self, caller: &Caller, new: &NewCredential) -> Result<()> {
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&new.provider, &new.labels) {
            return Err(self.outside(caller, "CreateCredential", selector).await);
        }
        let Some(request_id) = &new.request_id else { return Ok(()) };
        let principal = &caller.principal.id;
        let earlier = self.store.request(principal, "CreateCredential", request_id, self.now()).await?;
        if let Some(earlier) = earlier {
            let id = self.idempotency.repeated(earlier, &new.fingerprint())?;
            self.get(caller, &id).await?;
        }
        Ok(())
    }

    /// The credential, if the caller can see it.
    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<Credential> {
        let found = self.store.credential(id, &caller.principal.selectors).await?;
        found.map(|found| self.as_of_now(found)).ok_or_else(|| Error::CredentialNotFound(id.to_owned()))
    }

    /// Hides a previous secret whose grace period is over, even if it was not swept yet.
    fn as_of_now(&self, mut credential: Credential) -> Credential {
        let now = self.now();
        credential.previous_expire_time = credential.previous_expire_time.filter(|expiry| *expiry > now);
        credential
    }

    /// Credentials with an id above `after`, by id.
    pub(crate) async fn list(
        &self,
        filter: &CredentialFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Credential>> {
        let found = self.store.credentials(filter, after, limit).await?;
        Ok(found.into_iter().map(|one| self.as_of_now(one)).collect())
    }

    pub(crate) async fn update(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        change: &CredentialChange,
    ) -> Result<Credential> {
        let current = self.get(caller, id).await?;
        let labels = change.labels.as_ref().unwrap_or(&current.labels);
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&current.row.provider, labels) {
            return Err(self.outside(caller, "UpdateCredential", selector).await);
        }
        let revision = as_seen(caller, &current, revision);
        let event = self
            .event(caller, "credential.updated", id)
            .with("changed", changed_fields(change))
            .of_change()
            .finish();
        let changed = self.store.update_credential(id, revision, change, &event).await?;
        done(id, changed)?;
        self.get(caller, id).await
    }

    /// Activates or deactivates a credential. One that is already in that state is left unchanged.
    pub(crate) async fn set_active(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        active: bool,
    ) -> Result<Credential> {
        let current = self.get(caller, id).await?;
        let expected = as_seen(caller, &current, revision);
        if revision.is_some_and(|expected| expected != current.row.revision) {
            return Err(Error::Stale(id.to_owned()));
        }
        if current.row.active == active {
            return Ok(current);
        }
        let name = if active { "credential.activated" } else { "credential.deactivated" };
        let event = self.event(caller, name, id).of_change().finish();
        let change =
            CredentialChange { active: Some(active), now: self.now(), ..CredentialChange::default() };
        done(id, self.store.update_credential(id, expected, &change, &event).await?)?;
        self.get(caller, id).await
    }

    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        block_if_referenced: bool,
    ) -> Result<i64> {
        let selection = &caller.principal.selectors;
        let credential = self.get(caller, id).await?;
        let revision = as_seen(caller, &credential, revision);
        // The log's readers are not narrowed, so the event counts all references.
        let whole = self.store.credential(id, &Selectors::default()).await?;
        let references = whole.map_or(0, |whole| whole.references.values().sum::<i64>());
        let event = self
            .event(caller, "credential.deleted", id)
            .with("display_name", credential.row.display_name)
            .with("provider", credential.row.provider)
            .with("references", references)
            .of_change()
            .finish();
        let blocks = block_if_referenced;
        done(id, self.store.delete_credential(id, revision, blocks, selection, &event).await?)
    }

    pub(crate) async fn stats(&self, caller: &Caller) -> Result<Stats> {
        Ok(self.store.credential_stats(&caller.principal.selectors).await?)
    }

    async fn outside(&self, caller: &Caller, method: &'static str, selector: String) -> Error {
        outside_selection(self.store.as_ref(), self.now(), caller, method, selector).await
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}

/// The revision that a change requires. For a narrowed caller, the row that was read decided whether the change is
/// allowed, so the row must still have that revision.
fn as_seen(caller: &Caller, current: &Credential, given: Option<i64>) -> Option<i64> {
    given.or_else(|| (!caller.principal.selectors.is_everything()).then_some(current.row.revision))
}

fn done<T>(id: &str, changed: Changed<T>) -> Result<T> {
    match changed {
        Changed::Done(value) => Ok(value),
        Changed::Missing => Err(Error::CredentialNotFound(id.to_owned())),
        Changed::Stale => Err(Error::Stale(id.to_owned())),
        Changed::Referenced(count) => Err(Error::CredentialReferenced { id: id.to_owned(), count }),
    }
}

fn changed_fields(change: &CredentialChange) -> Vec<&'static str> {
    let given = [
        ("display_name", change.display_name.is_some()),
        ("labels", change.labels.is_some()),
        ("expire_time", change.expire_time.is_some()),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}
