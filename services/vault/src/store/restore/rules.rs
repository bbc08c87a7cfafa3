//! Decides what to do with a row, from the archive's row, the live row, and the facts that a restore must respect. A
//! restore can deactivate but never activate; it never replaces a secret with an older one, or an expiry with a later
//! one; deleted and revoked rows stay so. Only a credential that somebody names (`--revive`) is exempt.

use super::RestoreMode;
use crate::store::{CredentialRow, ReferenceRow, TokenRow};

/// The row was deleted after the archive was made.
pub(crate) const DELETED_SINCE: &str = "DELETED_SINCE";
/// It was deactivated since.
pub(crate) const DEACTIVATED_SINCE: &str = "DEACTIVATED_SINCE";
/// Its secret was set since.
pub(crate) const ROTATED_SINCE: &str = "ROTATED_SINCE";
/// It was given an earlier expiry.
pub(crate) const EXPIRES_EARLIER: &str = "EXPIRES_EARLIER";
/// It was revoked since.
pub(crate) const REVOKED_SINCE: &str = "REVOKED_SINCE";
/// It is revoked in the archive but not in this vault: somebody must check it.
pub(crate) const REVOKED_IN_ARCHIVE: &str = "REVOKED_IN_ARCHIVE";
/// A token that exists here is never replaced.
pub(crate) const TOKEN_LIVE: &str = "TOKEN_LIVE";
/// It differs, and a merge keeps the existing row.
pub(crate) const EXISTS: &str = "EXISTS";
/// A credential that it names no longer exists; it is restored without it.
pub(crate) const CREDENTIAL_GONE: &str = "CREDENTIAL_GONE";

/// The row to write, if any, and the reasons why parts of it are not the archive's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decision<R> {
    pub(crate) row: Option<R>,
    pub(crate) kept: Vec<&'static str>,
}

impl<R> Decision<R> {
    fn keep(reason: &'static str) -> Self {
        Self { row: None, kept: vec![reason] }
    }

    fn leave() -> Self {
        Self { row: None, kept: Vec::new() }
    }
}

/// Facts about a credential besides its row in the archive.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) mode: RestoreMode,
    /// It has a tombstone in this vault.
    pub(crate) is_buried: bool,
    /// Somebody named it for revival.
    pub(crate) is_revived: bool,
}

/// Decides on a credential. The resulting row has `revision`, whose etag no client has seen.
pub(crate) fn credential(
    archived: CredentialRow,
    live: Option<&CredentialRow>,
    facts: Facts,
    revision: i64,
) -> Decision<CredentialRow> {
    let Some(live) = live else {
        if facts.is_buried && !facts.is_revived {
            return Decision::keep(DELETED_SINCE);
        }
        return Decision { row: Some(CredentialRow { revision, ..archived }), kept: Vec::new() };
    };
    if facts.mode != RestoreMode::Replace && !facts.is_revived {
        return if is_same_credential(&archived, live) { Decision::leave() } else { Decision::keep(EXISTS) };
    }
    let mut kept = Vec::new();
    let mut row = CredentialRow { last_used_time: live.last_used_time, ..archived };
    if !facts.is_revived {
        hold_back(&mut row, live, &mut kept);
    }
    row.create_time = live.create_time;
    row.provider.clone_from(&live.provider);
    let is_changed = !is_same_credential(&row, live) || row.secret != live.secret;
    row.revision = revision;
    Decision { row: is_changed.then_some(row), kept }
}

/// Copies the stricter values of the live row into `row`.
fn hold_back(row: &mut CredentialRow, live: &CredentialRow, kept: &mut Vec<&'static str>) {
    if live.secret_time >= row.secret_time {
        if live.secret_time > row.secret_time {
            kept.push(ROTATED_SINCE);
        }
        // With the same time it is the same secret, possibly sealed by a newer key.
        row.secret.clone_from(&live.secret);
        row.preview.clone_from(&live.preview);
        row.secret_time = live.secret_time;
    }
    if !live.active {
        if row.active {
            kept.push(DEACTIVATED_SINCE);
        }
        row.active = false;
        row.deactivate_time = live.deactivate_time;
    }
    if let Some(own) = live.expire_time
        && row.expire_time.is_none_or(|archived| archived > own)
    {
        kept.push(EXPIRES_EARLIER);
        row.expire_time = Some(own);
    }
}

/// Compares everything except what a restore ignores: the etag, the last use, and how the secret is sealed.
fn is_same_credential(one: &CredentialRow, other: &CredentialRow) -> bool {
    let columns = |row: &CredentialRow| {
        let texts = [&row.id, &row.display_name, &row.provider, &row.preview, &row.labels].map(Clone::clone);
        let times = (row.create_time, row.update_time, row.secret_time, row.expire_time, row.deactivate_time);
        (texts, times, row.active)
    };
    columns(one) == columns(other)
}

/// Decides on a reference: unchanged if all its credentials exist, otherwise without the missing ones.
pub(crate) fn reference(
    archived: ReferenceRow,
    live: Option<&ReferenceRow>,
    gone: &[String],
    mode: RestoreMode,
) -> Decision<ReferenceRow> {
    match live {
        Some(live) if mode != RestoreMode::Replace => {
            return if archived == *live { Decision::leave() } else { Decision::keep(EXISTS) };
        }
        _ => {}
    }
    let kept = if gone.is_empty() { Vec::new() } else { vec![CREDENTIAL_GONE] };
    let row = gone.iter().fold(archived, |row, id| row.without(id));
    let is_changed = live != Some(&row);
    Decision { row: is_changed.then_some(row), kept }
}

/// Decides on a token. It is restored only if none exists here; it then authenticates nobody until it is reissued, and
/// belongs to no person.
pub(crate) fn token(
    archived: TokenRow,
    live: Option<&TokenRow>,
    is_secret_known: bool,
    now: i64,
) -> Decision<TokenRow> {
    match live {
        Some(live) if live.revoke_time.is_some() && archived.revoke_time.is_none() => {
            Decision::keep(REVOKED_SINCE)
        }
        Some(live) if live.revoke_time.is_none() && archived.revoke_time.is_some() => {
            Decision::keep(REVOKED_IN_ARCHIVE)
        }
        Some(live) if is_same_token(&archived, live) => Decision::leave(),
        Some(_) => Decision::keep(TOKEN_LIVE),
        None if is_secret_known => Decision::keep(TOKEN_LIVE),
        None => Decision { row: Some(brought(archived, Some(now))), kept: Vec::new() },
    }
}

/// The token in its restored form.
fn brought(archived: TokenRow, stale_time: Option<i64>) -> TokenRow {
    TokenRow {
        stale_time,
        person: String::new(),
        enrolled: false,
        renewed: false,
        break_glass: false,
        ..archived
    }
}

/// Compares everything except the last use, the secret, and what a restore removed.
fn is_same_token(archived: &TokenRow, live: &TokenRow) -> bool {
    let archived =
        if live.stale_time.is_some() { &brought(archived.clone(), live.stale_time) } else { archived };
    let of_live = TokenRow {
        last_used_time: archived.last_used_time,
        hash: archived.hash.clone(),
        introspect_hash: archived.introspect_hash.clone(),
        ..live.clone()
    };
    of_live == *archived
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
