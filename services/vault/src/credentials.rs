//! Credentials: the verbs of `CredentialService`.

use serde_json::json;
use strongroom_crypto::{Place, Purpose, SecretBytes, preview};
use strongroom_runtime::Caller;
use uuid::Uuid;

use crate::audit::outcome;
use crate::error::{Error, Result};
use crate::keys::CREDENTIAL_KEY;
use crate::paging::{self, Page};
use crate::requests::Fingerprint;
use crate::store::{
    Changed, Credential, CredentialChange, CredentialFilter, CredentialRow, Labels, Once, Stats,
};
use crate::vault::Vault;

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

/// A plaintext on its way out.
pub(crate) struct RevealedCredential {
    pub(crate) provider: String,
    pub(crate) secret: SecretBytes,
}

impl Vault {
    pub(crate) async fn create_credential(&self, caller: &Caller, new: NewCredential) -> Result<Credential> {
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&new.provider, &new.labels) {
            return Err(self.outside(caller, "CreateCredential", selector).await);
        }
        let id = Uuid::now_v7().to_string();
        let now = self.now();
        let secret = self.ring().seal(CREDENTIAL_KEY, &secret_place(&id), new.secret.expose())?;
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
        };
        let event = self
            .event(caller, "credential.created", &id)
            .with("display_name", row.display_name.as_str())
            .with("provider", row.provider.as_str())
            .finish();
        let Some(request_id) = &new.request_id else {
            self.store.create_credential(&row, &new.labels, &event).await?;
            return self.credential(caller, &id).await;
        };
        let request = self.new_request(caller, "CreateCredential", request_id, &new.fingerprint(), &id)?;
        let id = match self.store.create_credential_once(&row, &new.labels, &request, &event).await? {
            Once::First(()) => id,
            Once::Repeated(earlier) => self.same_request(earlier, &new.fingerprint())?,
        };
        self.credential(caller, &id).await
    }

    /// Whether [`Self::create_credential`] would create it, or did so before by the same request id.
    pub(crate) async fn check_new_credential(&self, caller: &Caller, new: &NewCredential) -> Result<()> {
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&new.provider, &new.labels) {
            return Err(self.outside(caller, "CreateCredential", selector).await);
        }
        let Some(request_id) = &new.request_id else { return Ok(()) };
        let principal = &caller.principal.id;
        let earlier = self.store.request(principal, "CreateCredential", request_id, self.now()).await?;
        if let Some(earlier) = earlier {
            let id = self.same_request(earlier, &new.fingerprint())?;
            self.credential(caller, &id).await?;
        }
        Ok(())
    }

    /// The credential, if the caller can see it.
    pub(crate) async fn credential(&self, caller: &Caller, id: &str) -> Result<Credential> {
        let found = self.store.credential(id).await?;
        let selection = &caller.principal.selectors;
        found
            .filter(|found| selection.admit_credential(&found.row.provider, &found.labels).is_ok())
            .map(|found| self.as_of_now(found))
            .ok_or_else(|| Error::CredentialNotFound(id.to_owned()))
    }

    /// Its row alone, if the caller can see it.
    pub(crate) async fn credential_row(&self, caller: &Caller, id: &str) -> Result<CredentialRow> {
        let row = self.rows.get(id.to_owned(), &caller.principal.selectors).await?;
        row.ok_or_else(|| Error::CredentialNotFound(id.to_owned()))
    }

    /// A previous secret whose grace is over counts as none, also before it is swept.
    fn as_of_now(&self, mut credential: Credential) -> Credential {
        let now = self.now();
        credential.previous_expire_time = credential.previous_expire_time.filter(|expiry| *expiry > now);
        credential
    }

    pub(crate) async fn credentials(
        &self,
        filter: &CredentialFilter,
        page: &Page<'_>,
    ) -> Result<(Vec<Credential>, String)> {
        let key = paging::Key::new("credentials", filter);
        let after = key.open(&self.ring(), page.token)?.unwrap_or_default();
        let mut found = self.store.credentials(filter, &after, page.fetch()).await?;
        let next = page.cut(&mut found, |credential| credential.row.id.clone());
        let found = found.into_iter().map(|one| self.as_of_now(one)).collect();
        Ok((found, key.seal(&self.ring(), next)?))
    }

    pub(crate) async fn update_credential(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        change: &CredentialChange,
    ) -> Result<Credential> {
        let current = self.credential(caller, id).await?;
        let labels = change.labels.as_ref().unwrap_or(&current.labels);
        let selection = &caller.principal.selectors;
        if let Err(selector) = selection.admit_credential(&current.row.provider, labels) {
            return Err(self.outside(caller, "UpdateCredential", selector).await);
        }
        let revision = as_seen(caller, &current, revision);
        let event =
            self.event(caller, "credential.updated", id).with("changed", changed_fields(change)).finish();
        let changed = self.store.update_credential(id, revision, change, &event).await?;
        done(id, changed)?;
        self.credential(caller, id).await
    }

    /// Takes a credential into use or out of it. One that is already there stays as it is.
    pub(crate) async fn set_active(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        active: bool,
    ) -> Result<Credential> {
        let current = self.credential(caller, id).await?;
        let expected = as_seen(caller, &current, revision);
        if revision.is_some_and(|expected| expected != current.row.revision) {
            return Err(Error::Stale(id.to_owned()));
        }
        if current.row.active == active {
            return Ok(current);
        }
        let name = if active { "credential.activated" } else { "credential.deactivated" };
        let event = self.event(caller, name, id).finish();
        let change =
            CredentialChange { active: Some(active), now: self.now(), ..CredentialChange::default() };
        done(id, self.store.update_credential(id, expected, &change, &event).await?)?;
        self.credential(caller, id).await
    }

    pub(crate) async fn delete_credential(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
        block_if_referenced: bool,
    ) -> Result<i64> {
        let credential = self.credential(caller, id).await?;
        let revision = as_seen(caller, &credential, revision);
        let event = self
            .event(caller, "credential.deleted", id)
            .with("display_name", credential.row.display_name)
            .with("provider", credential.row.provider)
            .with("references", credential.references.values().sum::<i64>())
            .finish();
        done(id, self.store.delete_credential(id, revision, block_if_referenced, &event).await?)
    }

    /// The event is committed before the plaintext is opened, so no plaintext leaves without it.
    pub(crate) async fn reveal_credential(
        &self,
        caller: &Caller,
        id: &str,
        previous: bool,
    ) -> Result<RevealedCredential> {
        let row = self.credential_row(caller, id).await?;
        let mut event = self.event(caller, "credential.revealed", id);
        if previous {
            event = event.with("previous", true);
        }
        if let Some((error, reason)) = unusable(&row, self.now()) {
            let event = event.outcome(outcome::DENIED).with("reason", reason).finish();
            self.log.commit(event, None).await?;
            return Err(error);
        }
        if previous {
            let version = self.previous_version(id).await?;
            self.log.commit(event.finish(), Some(id)).await?;
            let secret = self.open_version(&version).await?;
            return Ok(RevealedCredential { provider: row.provider, secret });
        }
        self.log.commit(event.finish(), Some(id)).await?;
        let secret = self.open_secret(caller, id, &row.secret).await?;
        Ok(RevealedCredential { provider: row.provider, secret })
    }

    pub(crate) async fn credential_stats(&self, caller: &Caller) -> Result<Stats> {
        Ok(self.store.credential_stats(&caller.principal.selectors).await?)
    }
}

/// Where a credential's secret is at home.
pub(crate) fn secret_place(id: &str) -> Place<'_> {
    Place { purpose: Purpose::Credential, table: "credentials", column: "secret", row: id }
}

/// Why a credential may not be used now.
fn unusable(row: &CredentialRow, now: i64) -> Option<(Error, &'static str)> {
    if !row.active {
        return Some((Error::CredentialInactive(row.id.clone()), "inactive"));
    }
    if row.expire_time.is_some_and(|expiry| expiry <= now) {
        return Some((Error::CredentialExpired(row.id.clone()), "expired"));
    }
    None
}

/// The revision that a change must meet. What a narrowed caller may change was decided by what was read, so it
/// must still be that.
fn as_seen(caller: &Caller, current: &Credential, given: Option<i64>) -> Option<i64> {
    given.or_else(|| caller.principal.selectors.narrows_credentials().then_some(current.row.revision))
}

pub(crate) fn done<T>(id: &str, changed: Changed<T>) -> Result<T> {
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
