//! Filters and their pages: the same text on both engines.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::audit::{self, above};
use super::selection::{push_credential, push_reference};
use super::{CredentialFilter, EventFilter, ReferenceFilter, credential, reference};

/// Credentials with an id above `after`, by id.
pub(super) fn credentials<DB>(filter: &CredentialFilter, after: &str, limit: i64) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> bool: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(credential::SELECT);
    let selection = &filter.selection;
    let providers = if selection.labels.is_empty() { selection.providers.as_slice() } else { &[] };
    let alternatives = selection.labels.iter().map(Alternative::Label);
    let mut between = " WHERE c.id IN (";
    for alternative in alternatives.chain(providers.iter().map(Alternative::Provider)) {
        query.push(between).push("SELECT id FROM (");
        alternative.push(&mut query, after);
        push_credential_filter(&mut query, filter);
        query.push(" ORDER BY 1 LIMIT ").push_bind(limit).push(") page");
        between = " UNION ALL ";
    }
    if selection.labels.is_empty() && providers.is_empty() {
        query.push(" WHERE c.id > ").push_bind(after.to_owned());
        push_credential_filter(&mut query, filter);
    } else {
        query.push(")");
    }
    query.push(" ORDER BY c.id LIMIT ").push_bind(limit);
    query
}

/// One of several selectors; a credential must meet at least one. The first n matches overall are among the first n
/// matches of each selector, and an index returns these in order. The cost of a page is therefore independent of the
/// number of credentials in the selection.
enum Alternative<'a> {
    Label(&'a (String, String)),
    Provider(&'a String),
}

impl Alternative<'_> {
    /// Ids above `after` of the credentials that meet it, as `c`.
    fn push<DB>(&self, query: &mut QueryBuilder<DB>, after: &str)
    where
        DB: Database,
        for<'t> String: Encode<'t, DB> + Type<DB>,
    {
        match self {
            Self::Label((name, value)) => {
                query.push("SELECT l.credential_id AS id FROM credential_labels l ");
                query.push("JOIN credentials c ON c.id = l.credential_id WHERE l.name = ");
                query.push_bind(name.clone()).push(" AND l.value = ").push_bind(value.clone());
                query.push(" AND l.credential_id > ").push_bind(after.to_owned());
            }
            Self::Provider(provider) => {
                query.push("SELECT c.id FROM credentials c WHERE c.provider = ");
                query.push_bind((*provider).clone()).push(" AND c.id > ").push_bind(after.to_owned());
            }
        }
    }
}

/// References above `after`, in the order (kind, consumer).
pub(super) fn references<DB>(filter: &ReferenceFilter, after: (&str, &str), limit: i64) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(reference::SELECT);
    query.push(" WHERE (r.kind, r.consumer) > (").push_bind(after.0.to_owned());
    query.push(", ").push_bind(after.1.to_owned()).push(")");
    push_reference_filter(&mut query, filter);
    query.push(" ORDER BY r.kind, r.consumer LIMIT ").push_bind(limit);
    query
}

/// Events with a sequence below `before`, newest first.
pub(super) fn events_before<DB>(filter: &EventFilter, before: i64, limit: i64) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(audit::SELECT);
    query.push(" WHERE sequence < ").push_bind(before);
    push_event_filter(&mut query, filter);
    query.push(" ORDER BY sequence DESC LIMIT ").push_bind(limit);
    query
}

/// Events above `after` up to `through`, oldest first.
pub(super) fn events_after<DB>(filter: &EventFilter, after: i64, through: i64, limit: i64) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(audit::SELECT);
    query.push(" WHERE sequence > ").push_bind(after);
    query.push(" AND sequence <= ").push_bind(through);
    push_event_filter(&mut query, filter);
    query.push(" ORDER BY sequence LIMIT ").push_bind(limit);
    query
}

fn push_credential_filter<DB>(query: &mut QueryBuilder<DB>, filter: &CredentialFilter)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> bool: Encode<'t, DB> + Type<DB>,
{
    if !filter.selection.is_everything() {
        query.push(" AND ");
        push_credential(query, &filter.selection);
    }
    if !filter.provider.is_empty() {
        query.push(" AND c.provider = ").push_bind(filter.provider.clone());
    }
    if let Some(active) = filter.active {
        query.push(" AND c.active = ").push_bind(active);
    }
    if !filter.name_prefix.is_empty() {
        query.push(" AND c.display_name >= ").push_bind(filter.name_prefix.clone());
        query.push(" AND c.display_name < ").push_bind(above(&filter.name_prefix));
    }
    for (name, value) in &filter.labels {
        query.push(
            " AND EXISTS (SELECT 1 FROM credential_labels l WHERE l.credential_id = c.id AND l.name = ",
        );
        query.push_bind(name.clone()).push(" AND l.value = ").push_bind(value.clone()).push(")");
    }
}

fn push_reference_filter<DB>(query: &mut QueryBuilder<DB>, filter: &ReferenceFilter)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    if !filter.credential_id.is_empty() {
        let id = &filter.credential_id;
        query.push(" AND (r.kind, r.consumer) IN (");
        query.push("SELECT kind, consumer FROM credential_references WHERE credential_id = ");
        query.push_bind(id.clone()).push(" UNION ALL ");
        query.push("SELECT kind, consumer FROM credential_fallbacks WHERE credential_id = ");
        query.push_bind(id.clone()).push(")");
    }
    if !filter.kind.is_empty() {
        query.push(" AND r.kind = ").push_bind(filter.kind.clone());
    }
    if !filter.selection.is_everything() {
        query.push(" AND ");
        push_reference(query, &filter.selection);
    }
}

fn push_event_filter<DB>(query: &mut QueryBuilder<DB>, filter: &EventFilter)
where
    DB: Database,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    if let Some((first, last)) = filter.family() {
        query.push(" AND event >= ").push_bind(first).push(" AND event < ").push_bind(last);
    } else if !filter.event.is_empty() {
        query.push(" AND event = ").push_bind(filter.event.clone());
    }
    if !filter.actor.is_empty() {
        query.push(" AND actor = ").push_bind(filter.actor.clone());
    }
    if !filter.target.is_empty() {
        query.push(" AND target = ").push_bind(filter.target.clone());
    }
    if let Some(since) = filter.since {
        query.push(" AND time >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND time < ").push_bind(until);
    }
}
