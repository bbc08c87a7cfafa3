//! Candidates of references, from their rows and the rows of the credentials that these name: each row has a MAC,
//! which the result of a join would not have.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_runtime::Selectors;

use super::granting::{Seal, Sealed};
use super::{CredentialRow, ReferenceRow};

/// A reference and the credential that it is bound to. One statement reads both: a second statement made resolutions an
/// eighth slower.
pub(super) struct Led {
    pub(super) reference: Sealed<ReferenceRow>,
    pub(super) credential: Option<Sealed<CredentialRow>>,
}

macro_rules! led_from_row {
    ($engine:ty) => {
        impl sqlx::FromRow<'_, $engine> for Led {
            fn from_row(row: &$engine) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                let id: Option<String> = row.try_get("c_id")?;
                let credential = |id| {
                    let read = CredentialRow {
                        id,
                        display_name: row.try_get("c_display_name")?,
                        provider: row.try_get("c_provider")?,
                        secret: row.try_get("c_secret")?,
                        preview: row.try_get("c_preview")?,
                        active: row.try_get("c_active")?,
                        create_time: row.try_get("c_create_time")?,
                        update_time: row.try_get("c_update_time")?,
                        last_used_time: row.try_get("c_last_used_time")?,
                        expire_time: row.try_get("c_expire_time")?,
                        revision: row.try_get("c_revision")?,
                        labels: row.try_get("c_labels")?,
                        secret_time: row.try_get("c_secret_time")?,
                        deactivate_time: row.try_get("c_deactivate_time")?,
                    };
                    let seal = Seal {
                        row_kid: row.try_get("c_row_kid")?,
                        row_mac: row.try_get("c_row_mac")?,
                        change_id: row.try_get("c_change_id")?,
                    };
                    Ok((read, seal))
                };
                let credential = id.map(|id| Sealed::of(credential(id)));
                Ok(Self { reference: Sealed::from_row(row)?, credential })
            }
        }
    };
}
led_from_row!(sqlx::sqlite::SqliteRow);
led_from_row!(sqlx::postgres::PgRow);

/// One candidate. Its columns are empty if the reference or its template is not bound, or is bound to a credential
/// outside the selection.
#[derive(Clone)]
pub(crate) struct CandidateRow {
    /// The reference's kind.
    pub kind: String,
    /// Its consumer.
    pub consumer: String,
    /// The provider that the consumer needs; empty if any will do.
    pub needs_provider: String,
    /// The credential.
    pub id: Option<String>,
    /// Its provider.
    pub provider: Option<String>,
    /// `srv1.…`, sealed for the credential's row.
    pub secret: Option<String>,
    /// Whether it can be used.
    pub active: Option<bool>,
    /// Expiry, from which it cannot be used.
    pub expire_time: Option<i64>,
}

/// Candidates of the references in `asked`, by kind and consumer, in order for each. `rows` contains those that exist,
/// and the ones that they go through; `credentials` contains those inside the selection.
///
/// The result is as if everything outside the selection were deleted: a deleted credential leaves an empty binding and
/// no fallback; a deleted template leaves nothing.
pub(super) fn candidates(
    asked: &[(String, String)],
    rows: &BTreeMap<(String, String), ReferenceRow>,
    credentials: &BTreeMap<String, CredentialRow>,
    selection: &Selectors,
) -> Vec<CandidateRow> {
    let mut found = Vec::new();
    let asked: BTreeSet<_> = asked.iter().collect();
    for row in asked.into_iter().filter_map(|name| rows.get(name)) {
        let template = (!row.via_kind.is_empty())
            .then(|| rows.get(&(row.via_kind.clone(), row.via_consumer.clone())))
            .flatten()
            .filter(|template| selection.admit_kind(&template.kind).is_ok());
        let bound = if row.via_kind.is_empty() { Some(row) } else { template };
        let bound = bound.and_then(|reference| reference.credential_id.as_ref()?.as_str().into());
        found.push(candidate(row, bound.and_then(|id: &str| credentials.get(id))));
        let fallbacks = row.fallback_ids().chain(template.into_iter().flat_map(ReferenceRow::fallback_ids));
        found.extend(fallbacks.filter_map(|id| credentials.get(id)).map(|one| candidate(row, Some(one))));
    }
    found
}

/// The fallback credentials.
pub(super) fn fallbacks(rows: &BTreeMap<(String, String), ReferenceRow>) -> Vec<String> {
    let ids: BTreeSet<&str> = rows.values().flat_map(ReferenceRow::fallback_ids).collect();
    ids.into_iter().map(ToOwned::to_owned).collect()
}

fn candidate(row: &ReferenceRow, credential: Option<&CredentialRow>) -> CandidateRow {
    CandidateRow {
        kind: row.kind.clone(),
        consumer: row.consumer.clone(),
        needs_provider: row.needs_provider.clone(),
        id: credential.map(|one| one.id.clone()),
        provider: credential.map(|one| one.provider.clone()),
        secret: credential.map(|one| one.secret.clone()),
        active: credential.map(|one| one.active),
        expire_time: credential.and_then(|one| one.expire_time),
    }
}
