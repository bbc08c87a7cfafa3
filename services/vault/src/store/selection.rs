//! SQL conditions for what a narrowed token can see: the same text on both engines.
//!
//! Each part of a condition uses an index, because it is evaluated for every row of a list.

use sqlx::{Database, Encode, QueryBuilder, Type};
use strongroom_runtime::Selectors;

use super::audit::above;

/// True for the credential `c` if it is inside the selection.
pub(super) fn push_credential<DB>(query: &mut QueryBuilder<DB>, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    if !selectors.names_credentials() {
        query.push("(1 = 0)");
        return;
    }
    query.push("(1 = 1");
    if !selectors.providers.is_empty() {
        query.push(" AND c.provider IN (");
        for (index, provider) in selectors.providers.iter().enumerate() {
            query.push(if index == 0 { "" } else { ", " }).push_bind(provider.clone());
        }
        query.push(")");
    }
    if !selectors.labels.is_empty() {
        query.push(" AND EXISTS (SELECT 1 FROM credential_labels s WHERE s.credential_id = c.id AND (");
        for (index, (name, value)) in selectors.labels.iter().enumerate() {
            query.push(if index == 0 { "(s.name = " } else { " OR (s.name = " }).push_bind(name.clone());
            query.push(" AND s.value = ").push_bind(value.clone()).push(")");
        }
        query.push("))");
    }
    query.push(")");
}

/// True for a reference if its kind, which is in `column`, is inside the selection.
pub(super) fn push_kind<DB>(query: &mut QueryBuilder<DB>, column: &'static str, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let kinds = &selectors.reference_kinds;
    if selectors.is_everything() || kinds.iter().any(|kind| kind == "*") {
        query.push("(1 = 1)");
        return;
    }
    query.push("(1 = 0");
    for kind in kinds {
        query.push(" OR ").push(column);
        match kind.strip_suffix('*') {
            Some(prefix) => {
                query.push(" BETWEEN ").push_bind(prefix.to_owned());
                query.push(" AND ").push_bind(above(prefix));
            }
            None => {
                query.push(" = ").push_bind(kind.clone());
            }
        }
    }
    query.push(")");
}

/// True for the reference `r` if it is inside the selection: its kind and its template's kind are inside, and so are
/// all credentials that it can resolve to, of which there is at least one. The names `f`, `t`, `c`, `s` and `x` are
/// taken.
pub(super) fn push_reference<DB>(query: &mut QueryBuilder<DB>, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    push_kind(query, "r.kind", selectors);
    if selectors.is_everything() {
        return;
    }
    // The most likely reason to be outside, and by far the cheapest to check.
    push_none_outside(query, OWN, selectors);
    query.push(" AND (r.via_kind = '' OR ");
    push_kind(query, "r.via_kind", selectors);
    query.push(") AND EXISTS (SELECT 1 FROM (").push(CANDIDATES).push(") x WHERE x.id IS NOT NULL)");
    push_none_outside(query, CANDIDATES, selectors);
}

fn push_none_outside<DB>(query: &mut QueryBuilder<DB>, candidates: &'static str, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    query.push(" AND NOT EXISTS (SELECT 1 FROM (").push(candidates);
    query.push(") x JOIN credentials c ON c.id = x.id WHERE NOT ");
    push_credential(query, selectors);
    query.push(")");
}

/// The credential that the reference `r` is bound to itself.
const OWN: &str = "SELECT r.credential_id AS id";

/// The credentials that the reference `r` can resolve to.
const CANDIDATES: &str = "
    SELECT r.credential_id AS id
    UNION ALL SELECT f.credential_id FROM credential_fallbacks f
              WHERE f.kind = r.kind AND f.consumer = r.consumer
    UNION ALL SELECT t.credential_id FROM credential_references t
              WHERE t.kind = r.via_kind AND t.consumer = r.via_consumer
    UNION ALL SELECT f.credential_id FROM credential_fallbacks f
              WHERE f.kind = r.via_kind AND f.consumer = r.via_consumer";
