//! Resolves a reference to its first usable candidate; the answer names the skipped ones.
//!
//! A gateway resolves for each of its requests: one statement reads, one commit logs.

use serde_json::{Value, json};
use strongroom_crypto::SecretBytes;
use strongroom_runtime::Caller;

use super::References;
use super::references::target;
use crate::error::{Error, Result};
use crate::store::{CandidateRow, Outcome};

/// The credential that a reference resolved to.
pub(crate) struct Resolved {
    pub(crate) credential_id: String,
    pub(crate) provider: String,
    pub(crate) secret: SecretBytes,
    pub(crate) skipped: Vec<Skipped>,
}

/// A candidate that was skipped.
pub(crate) struct Skipped {
    /// Empty if the credential does not exist or the caller cannot see it.
    pub(crate) credential_id: String,
    pub(crate) reason: SkipReason,
}

/// Reason for skipping a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    NotFound,
    Inactive,
    Expired,
    ProviderMismatch,
}

impl SkipReason {
    /// Name in answers and events.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "CREDENTIAL_NOT_FOUND",
            Self::Inactive => "CREDENTIAL_INACTIVE",
            Self::Expired => "CREDENTIAL_EXPIRED",
            Self::ProviderMismatch => "PROVIDER_MISMATCH",
        }
    }
}

/// A candidate that can be used.
struct Usable {
    id: String,
    provider: String,
    sealed: String,
}

impl References {
    pub(crate) async fn resolve(&self, caller: &Caller, kind: &str, consumer: &str) -> Result<Resolved> {
        let selection = &caller.principal.selectors;
        let missing = || Error::ReferenceNotFound { kind: kind.to_owned(), consumer: consumer.to_owned() };
        selection.admit_kind(kind).map_err(|_| missing())?;
        let reference = (kind.to_owned(), consumer.to_owned());
        let found = self.candidates.get(reference, selection).await?;
        let candidates = match found {
            Some(Ok(candidates)) => candidates,
            // A narrowed token must not learn of it: the reference may be outside its selection.
            Some(Err(error)) if selection.is_everything() => return Err(Error::Lookup(error)),
            Some(Err(_)) | None => Vec::new(),
        };
        let unseen = !selection.is_everything() && candidates.iter().all(|one| one.id.is_none());
        if candidates.is_empty() || unseen {
            return Err(missing());
        }
        let (usable, skipped) = first_usable(candidates, self.now());
        let event = self
            .event(caller, "reference.resolved", &target(kind, consumer))
            .with("skipped", Value::from_iter(skipped.iter().map(Skipped::to_json)));
        let Some(usable) = usable else {
            self.uses.commit(event.outcome(Outcome::Denied).finish(), None).await?;
            let skipped = skipped.iter().map(Skipped::to_text).collect::<Vec<_>>().join(", ");
            let (kind, consumer) = (kind.to_owned(), consumer.to_owned());
            return Err(Error::NoUsableCredential { kind, consumer, skipped });
        };
        let event = event.with("credential_id", usable.id.as_str()).finish();
        self.uses.commit(event, Some(&usable.id)).await?;
        let secret = self.secrets.open_current(caller, &usable.id, &usable.sealed).await?;
        Ok(Resolved { credential_id: usable.id, provider: usable.provider, secret, skipped })
    }
}

fn first_usable(candidates: Vec<CandidateRow>, now: i64) -> (Option<Usable>, Vec<Skipped>) {
    let mut skipped = Vec::new();
    for candidate in candidates {
        match judge(candidate, now) {
            Ok(usable) => return (Some(usable), skipped),
            Err(one) => skipped.push(one),
        }
    }
    (None, skipped)
}

fn judge(candidate: CandidateRow, now: i64) -> std::result::Result<Usable, Skipped> {
    let (Some(id), Some(provider), Some(sealed), Some(active)) =
        (candidate.id, candidate.provider, candidate.secret, candidate.active)
    else {
        return Err(Skipped { credential_id: String::new(), reason: SkipReason::NotFound });
    };
    let needs = &candidate.needs_provider;
    let reason = if !active {
        SkipReason::Inactive
    } else if candidate.expire_time.is_some_and(|expiry| expiry <= now) {
        SkipReason::Expired
    } else if !needs.is_empty() && *needs != provider {
        SkipReason::ProviderMismatch
    } else {
        return Ok(Usable { id, provider, sealed });
    };
    Err(Skipped { credential_id: id, reason })
}

impl Skipped {
    fn to_json(&self) -> Value {
        json!({ "credential_id": self.credential_id, "reason": self.reason.as_str() })
    }

    fn to_text(&self) -> String {
        match self.credential_id.as_str() {
            "" => self.reason.as_str().to_owned(),
            id => format!("{id} ({})", self.reason.as_str()),
        }
    }
}
