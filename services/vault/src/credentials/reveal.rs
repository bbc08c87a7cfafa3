//! Reveals a credential: the event is durable before the secret is opened, so no plaintext leaves without one.

use strongroom_crypto::SecretBytes;
use strongroom_runtime::Caller;

use super::Credentials;
use crate::error::{Error, Result};
use crate::store::{CredentialRow, Outcome};

/// A plaintext on its way to the caller.
pub(crate) struct RevealedCredential {
    pub(crate) provider: String,
    pub(crate) secret: SecretBytes,
}

impl Credentials {
    /// The current secret, or with `previous` the one before the last rotation.
    pub(crate) async fn reveal(
        &self,
        caller: &Caller,
        id: &str,
        previous: bool,
    ) -> Result<RevealedCredential> {
        let row = self.secrets.row(caller, id).await?;
        let mut event = self.event(caller, "credential.revealed", id);
        if previous {
            event = event.with("previous", true);
        }
        if let Some(unusable) = unusable(&row, self.now()) {
            let event = event.outcome(Outcome::Denied).with("reason", unusable.as_str()).finish();
            self.uses.commit(event, None).await?;
            return Err(unusable.refusal(row.id));
        }
        if previous {
            let version = self.secrets.previous(id).await?;
            self.uses.commit(event.finish(), Some(id)).await?;
            let secret = self.secrets.open_previous(&version).await?;
            return Ok(RevealedCredential { provider: row.provider, secret });
        }
        self.uses.commit(event.finish(), Some(id)).await?;
        let secret = self.secrets.open_current(caller, id, &row.secret).await?;
        Ok(RevealedCredential { provider: row.provider, secret })
    }
}

/// Reason why a credential cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unusable {
    Inactive,
    Expired,
}

impl Unusable {
    /// Name in the event.
    fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Expired => "expired",
        }
    }

    fn refusal(self, id: String) -> Error {
        match self {
            Self::Inactive => Error::CredentialInactive(id),
            Self::Expired => Error::CredentialExpired(id),
        }
    }
}

fn unusable(row: &CredentialRow, now: i64) -> Option<Unusable> {
    if !row.active {
        return Some(Unusable::Inactive);
    }
    row.expire_time.is_some_and(|expiry| expiry <= now).then_some(Unusable::Expired)
}
