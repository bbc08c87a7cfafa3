//! What a narrowed token can see, as conditions: the same text on both engines.

use sqlx::{Database, Encode, QueryBuilder, Type};
use strongroom_runtime::Selectors;

use super::audit::above;

/// True for the credential `c` when it is inside.
pub(super) fn push_credential<DB>(query: &mut QueryBuilder<DB>, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
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

/// True for the reference `r` when its kind is inside.
pub(super) fn push_kind<DB>(query: &mut QueryBuilder<DB>, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    if selectors.reference_kinds.is_empty() {
        query.push("(1 = 1)");
        return;
    }
    for (index, kind) in selectors.reference_kinds.iter().enumerate() {
        query.push(if index == 0 { "(" } else { " OR " });
        match kind.strip_suffix('*') {
            Some(prefix) => {
                query.push("(r.kind >= ").push_bind(prefix.to_owned());
                query.push(" AND r.kind < ").push_bind(above(prefix)).push(")");
            }
            None => {
                query.push("r.kind = ").push_bind(kind.clone());
            }
        }
    }
    query.push(")");
}

/// True for the reference `r` when its kind is inside, and every credential that it may resolve to, of which
/// there must be one.
pub(super) fn push_reference<DB>(query: &mut QueryBuilder<DB>, selectors: &Selectors)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    push_kind(query, selectors);
    if !selectors.narrows_credentials() {
        return;
    }
    query.push(" AND EXISTS (").push(CANDIDATES).push(")");
    query.push(" AND NOT EXISTS (").push(CANDIDATES).push(" AND NOT ");
    push_credential(query, selectors);
    query.push(")");
}

/// What the reference `r` may resolve to.
const CANDIDATES: &str = "
    SELECT 1 FROM credentials c
    WHERE (c.id = r.credential_id
        OR c.id IN (SELECT f.credential_id FROM credential_fallbacks f
                    WHERE f.kind = r.kind AND f.consumer = r.consumer)
        OR c.id IN (SELECT t.credential_id FROM credential_references t
                    WHERE t.kind = r.via_kind AND t.consumer = r.via_consumer)
        OR c.id IN (SELECT f.credential_id FROM credential_fallbacks f
                    WHERE f.kind = r.via_kind AND f.consumer = r.via_consumer))";
