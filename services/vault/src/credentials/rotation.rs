//! Rotation in place: the id and the references stay the same, and the previous secret remains available until its
//! grace period ends.

use serde_json::json;
use strongroom_crypto::{SecretBytes, preview};
use strongroom_runtime::Caller;
use uuid::Uuid;

use super::idempotency::Fingerprint;
use super::{Credentials, done};
use crate::error::{Error, Result};
use crate::store::{Credential, CredentialRow, Once, Replacement, RequestRow, VersionRow};

const METHOD: &str = "RotateCredential";

/// Maximum number of attempts at a change for a caller that gave no revision: another change can win the race.
const ATTEMPTS: u32 = 5;

/// A replacement of the current secret.
pub(crate) struct Rotation {
    pub(crate) id: String,
    pub(crate) revision: Option<i64>,
    pub(crate) secret: SecretBytes,
    /// Microseconds; zero keeps no previous secret.
    pub(crate) grace: i64,
    pub(crate) request_id: Option<String>,
}

impl Rotation {
    fn fingerprint(&self) -> Fingerprint<'_> {
        let fields = json!([self.id, self.revision, self.grace]);
        Fingerprint { fields, secret: self.secret.expose() }
    }
}

impl Credentials {
    pub(crate) async fn rotate(&self, caller: &Caller, new: &Rotation) -> Result<Credential> {
        for _ in 1..ATTEMPTS {
            match self.try_to_rotate(caller, new).await {
                Err(Error::Stale(_)) if new.revision.is_none() => {}
                tried => return tried,
            }
        }
        self.try_to_rotate(caller, new).await
    }

    /// Reads the row before it looks for the request: of two equal concurrent requests, the one that reads an already
    /// rotated row then also finds the other's request.
    async fn try_to_rotate(&self, caller: &Caller, new: &Rotation) -> Result<Credential> {
        let row = self.secrets.row(caller, &new.id).await?;
        let request = self.rotation_request(caller, new)?;
        if let Some(request) = &request
            && let Some(earlier) =
                self.store.request(&request.principal, METHOD, &request.request_id, self.now()).await?
        {
            self.idempotency.repeated(earlier, &new.fingerprint())?;
            return self.get(caller, &new.id).await;
        }
        expect_revision(&row, new.revision)?;
        let replacement = self.replacement(caller, &row, new).await?;
        let event = self
            .event(caller, "credential.rotated", &new.id)
            .with("grace_seconds", new.grace / 1_000_000)
            .with("preview", replacement.preview.as_str())
            .of_change()
            .finish();
        match self.store.replace_secret(&replacement, request.as_ref(), &event).await? {
            Once::First(changed) => done(&new.id, changed)?,
            Once::Repeated(earlier) => {
                self.idempotency.repeated(earlier, &new.fingerprint())?;
            }
        }
        self.get(caller, &new.id).await
    }

    fn rotation_request(&self, caller: &Caller, new: &Rotation) -> Result<Option<RequestRow>> {
        let Some(request_id) = &new.request_id else { return Ok(None) };
        Ok(Some(self.idempotency.claim(caller, METHOD, request_id, &new.fingerprint(), &new.id)?))
    }

    /// A sealed value opens only in its own place, so the old secret is sealed again for its new place.
    async fn replacement(&self, caller: &Caller, row: &CredentialRow, new: &Rotation) -> Result<Replacement> {
        let now = self.now();
        let previous = match new.grace {
            0 => None,
            grace => {
                let id = Uuid::now_v7().to_string();
                let old = self.secrets.open_current(caller, &row.id, &row.secret).await?;
                Some(VersionRow {
                    secret: self.secrets.seal_previous(&id, &old)?,
                    id,
                    credential_id: row.id.clone(),
                    preview: row.preview.clone(),
                    create_time: now,
                    expire_time: now + grace,
                })
            }
        };
        Ok(Replacement {
            credential_id: row.id.clone(),
            revision: row.revision,
            secret: self.secrets.seal_current(&row.id, &new.secret)?,
            preview: preview(new.secret.expose()),
            previous,
            now,
        })
    }

    /// Makes the previous secret the current one again; the replaced one is lost.
    pub(crate) async fn roll_back(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
    ) -> Result<Credential> {
        // The row is read first, so the revision that is compared below also covers the version read after it.
        let row = self.secrets.row(caller, id).await?;
        expect_revision(&row, revision)?;
        let version = self.secrets.previous(id).await?;
        let secret = self.secrets.open_previous(&version).await?;
        let replacement = Replacement {
            credential_id: id.to_owned(),
            revision: row.revision,
            secret: self.secrets.seal_current(id, &secret)?,
            preview: version.preview,
            previous: None,
            now: self.now(),
        };
        let event = self
            .event(caller, "credential.rolled_back", id)
            .with("preview", replacement.preview.as_str())
            .of_change()
            .finish();
        match self.store.replace_secret(&replacement, None, &event).await? {
            Once::First(changed) => done(id, changed)?,
            Once::Repeated(_) => {}
        }
        self.get(caller, id).await
    }
}

fn expect_revision(row: &CredentialRow, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(expected) if expected != row.revision => Err(Error::Stale(row.id.clone())),
        _ => Ok(()),
    }
}
