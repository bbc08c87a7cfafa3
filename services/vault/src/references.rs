//! References: the verbs of `ReferenceService`.

use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::paging::{self, Page};
use crate::store::{Changed, ReferenceFilter, ReferenceRow};
use crate::vault::Vault;

/// A binding to be made.
pub(crate) struct NewReference {
    pub(crate) kind: String,
    pub(crate) consumer: String,
    pub(crate) credential_id: String,
    pub(crate) needs_provider: String,
}

impl Vault {
    pub(crate) async fn bind_reference(&self, caller: &Caller, new: NewReference) -> Result<ReferenceRow> {
        let credential = self.credential(&new.credential_id).await?;
        if !new.needs_provider.is_empty() && new.needs_provider != credential.row.provider {
            return Err(Error::ProviderMismatch {
                kind: new.kind,
                consumer: new.consumer,
                needs: new.needs_provider,
                has: credential.row.provider,
            });
        }
        let now = self.now();
        let event = self
            .event(caller, "reference.bound", &target(&new.kind, &new.consumer))
            .with("credential_id", new.credential_id.as_str())
            .finish();
        let row = ReferenceRow {
            kind: new.kind,
            consumer: new.consumer,
            credential_id: Some(new.credential_id.clone()),
            needs_provider: new.needs_provider,
            create_time: now,
            update_time: now,
        };
        match self.store.bind_reference(&row, &event).await? {
            Changed::Done(bound) => Ok(bound),
            Changed::Missing | Changed::Stale | Changed::Referenced(_) => {
                Err(Error::CredentialNotFound(new.credential_id))
            }
        }
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

    pub(crate) async fn release_reference(&self, caller: &Caller, kind: &str, consumer: &str) -> Result<()> {
        let event = self.event(caller, "reference.released", &target(kind, consumer)).finish();
        if self.store.release_reference(kind, consumer, &event).await? {
            return Ok(());
        }
        Err(Error::ReferenceNotFound { kind: kind.to_owned(), consumer: consumer.to_owned() })
    }
}

fn target(kind: &str, consumer: &str) -> String {
    format!("{kind}/{consumer}")
}
