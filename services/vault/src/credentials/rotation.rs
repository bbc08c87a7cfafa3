//! Rotation in place: the id and the references stay, and for a while the old secret opens beside the new one.

use serde_json::json;
use strongroom_crypto::{Place, Purpose, SecretBytes, preview};
use strongroom_runtime::Caller;
use uuid::Uuid;

use crate::credentials::{done, secret_place};
use crate::error::{Error, Result};
use crate::keys::CREDENTIAL_KEY;
use crate::requests::Fingerprint;
use crate::store::{Credential, CredentialRow, Once, Replacement, RequestRow, VersionRow};
use crate::vault::Vault;

const METHOD: &str = "RotateCredential";

/// How often a change that lost a race is tried again for a caller that named no revision.
const ATTEMPTS: u32 = 5;

/// A secret to be put in the place of another.
pub(crate) struct Rotation {
    pub(crate) id: String,
    pub(crate) revision: Option<i64>,
    pub(crate) secret: SecretBytes,
    /// Microseconds; zero keeps nothing of the old secret.
    pub(crate) grace: i64,
    pub(crate) request_id: Option<String>,
}

impl Rotation {
    fn fingerprint(&self) -> Fingerprint<'_> {
        let fields = json!([self.id, self.revision, self.grace]);
        Fingerprint { fields, secret: self.secret.expose() }
    }
}

impl Vault {
    pub(crate) async fn rotate_credential(&self, caller: &Caller, new: &Rotation) -> Result<Credential> {
        for _ in 1..ATTEMPTS {
            match self.try_to_rotate(caller, new).await {
                Err(Error::Stale(_)) if new.revision.is_none() => {}
                tried => return tried,
            }
        }
        self.try_to_rotate(caller, new).await
    }

    /// The row is read before the request is looked for: of two equal requests at once, the one that reads a row
    /// already rotated finds the other's request too.
    async fn try_to_rotate(&self, caller: &Caller, new: &Rotation) -> Result<Credential> {
        let row = self.credential_row(caller, &new.id).await?;
        let request = self.rotation_request(caller, new)?;
        if let Some(request) = &request
            && let Some(earlier) =
                self.store.request(&request.principal, METHOD, &request.request_id, self.now()).await?
        {
            self.same_request(earlier, &new.fingerprint())?;
            return self.credential(caller, &new.id).await;
        }
        expect_revision(&row, new.revision)?;
        let replacement = self.replacement(caller, &row, new).await?;
        let event = self
            .event(caller, "credential.rotated", &new.id)
            .with("grace_seconds", new.grace / 1_000_000)
            .with("preview", replacement.preview.as_str())
            .finish();
        match self.store.replace_secret(&replacement, request.as_ref(), &event).await? {
            Once::First(changed) => done(&new.id, changed)?,
            Once::Repeated(earlier) => {
                self.same_request(earlier, &new.fingerprint())?;
            }
        }
        self.credential(caller, &new.id).await
    }

    fn rotation_request(&self, caller: &Caller, new: &Rotation) -> Result<Option<RequestRow>> {
        let Some(request_id) = &new.request_id else { return Ok(None) };
        Ok(Some(self.new_request(caller, METHOD, request_id, &new.fingerprint(), &new.id)?))
    }

    /// A sealed value opens in its own place only, so the old secret is sealed again for where it goes.
    async fn replacement(&self, caller: &Caller, row: &CredentialRow, new: &Rotation) -> Result<Replacement> {
        let now = self.now();
        let previous = match new.grace {
            0 => None,
            grace => {
                let id = Uuid::now_v7().to_string();
                let old = self.open_secret(caller, &row.id, &row.secret).await?;
                Some(VersionRow {
                    secret: self.ring().seal(CREDENTIAL_KEY, &version_place(&id), old.expose())?,
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
            secret: self.ring().seal(CREDENTIAL_KEY, &secret_place(&row.id), new.secret.expose())?,
            preview: preview(new.secret.expose()),
            previous,
            now,
        })
    }

    /// Makes the previous secret the current one again; the one that it replaces is gone.
    pub(crate) async fn roll_back_credential(
        &self,
        caller: &Caller,
        id: &str,
        revision: Option<i64>,
    ) -> Result<Credential> {
        // The row first: the revision that is compared below then vouches for the version read after it.
        let row = self.credential_row(caller, id).await?;
        expect_revision(&row, revision)?;
        let version = self.previous_version(id).await?;
        let secret = self.open_version(&version).await?;
        let replacement = Replacement {
            credential_id: id.to_owned(),
            revision: row.revision,
            secret: self.ring().seal(CREDENTIAL_KEY, &secret_place(id), secret.expose())?,
            preview: version.preview,
            previous: None,
            now: self.now(),
        };
        let event = self
            .event(caller, "credential.rolled_back", id)
            .with("preview", replacement.preview.as_str())
            .finish();
        match self.store.replace_secret(&replacement, None, &event).await? {
            Once::First(changed) => done(id, changed)?,
            Once::Repeated(_) => {}
        }
        self.credential(caller, id).await
    }

    /// The previous secret as it is stored, while its grace lasts.
    pub(crate) async fn previous_version(&self, id: &str) -> Result<VersionRow> {
        let version = self.store.previous_secret(id, self.now()).await?;
        version.ok_or_else(|| Error::NoPreviousSecret(id.to_owned()))
    }
}

/// Where a previous secret is at home.
pub(crate) fn version_place(id: &str) -> Place<'_> {
    Place { purpose: Purpose::Credential, table: "credential_versions", column: "secret", row: id }
}

fn expect_revision(row: &CredentialRow, expected: Option<i64>) -> Result<()> {
    match expected {
        Some(expected) if expected != row.revision => Err(Error::Stale(row.id.clone())),
        _ => Ok(()),
    }
}
