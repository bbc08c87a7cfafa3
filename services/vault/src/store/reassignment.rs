//! Moving every reference of one credential to another.

use serde_json::{Map, Value};
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;

use super::NewEvent;
use super::selection::push_reference;

/// References to be moved.
pub(crate) struct Reassignment<'a> {
    /// From this credential.
    pub(crate) from: &'a str,
    /// To this one.
    pub(crate) to: &'a str,
    /// The provider of that.
    pub(crate) provider: &'a str,
    /// What the caller can see: other references stay as they are.
    pub(crate) selection: &'a Selectors,
    /// When.
    pub(crate) now: i64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reassigned {
    /// So many bindings and fallbacks were moved.
    Done(i64),
    /// This credential is gone.
    Missing(String),
    /// Nothing was moved.
    Mismatch(MismatchRow),
}

/// A reference that needs another provider.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct MismatchRow {
    /// Its kind.
    pub kind: String,
    /// Its consumer.
    pub consumer: String,
    /// What it needs.
    pub needs_provider: String,
}

impl Reassignment<'_> {
    /// Both credentials, in the order in which they are locked.
    pub(super) fn credentials(&self) -> [&str; 2] {
        if self.from < self.to { [self.from, self.to] } else { [self.to, self.from] }
    }

    /// The first reference that leads to the old credential and does not go with the new one's provider.
    pub(super) fn mismatch<DB>(&self) -> QueryBuilder<DB>
    where
        DB: Database,
        DB::Arguments: Default,
        for<'t> String: Encode<'t, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new(
            "SELECT r.kind, r.consumer, r.needs_provider FROM credential_references r
             WHERE r.needs_provider <> '' AND r.needs_provider <> ",
        );
        query.push_bind(self.provider.to_owned());
        query.push(" AND (r.credential_id = ").push_bind(self.from.to_owned());
        query.push(
            " OR EXISTS (SELECT 1 FROM credential_fallbacks f
                         WHERE ((f.kind = r.kind AND f.consumer = r.consumer)
                                OR (f.kind = r.via_kind AND f.consumer = r.via_consumer))
                           AND f.credential_id = ",
        );
        query.push_bind(self.from.to_owned());
        query.push(
            ") OR EXISTS (SELECT 1 FROM credential_references t
                          WHERE t.kind = r.via_kind AND t.consumer = r.via_consumer AND t.credential_id = ",
        );
        query.push_bind(self.from.to_owned()).push(")) AND ");
        push_reference(&mut query, self.selection);
        query.push(" ORDER BY r.kind, r.consumer LIMIT 1");
        query
    }

    pub(super) fn bindings<DB>(&self) -> QueryBuilder<DB>
    where
        DB: Database,
        DB::Arguments: Default,
        for<'t> String: Encode<'t, DB> + Type<DB>,
        for<'t> i64: Encode<'t, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new("UPDATE credential_references AS r SET credential_id = ");
        query.push_bind(self.to.to_owned()).push(", update_time = ").push_bind(self.now);
        query.push(" WHERE r.credential_id = ").push_bind(self.from.to_owned()).push(" AND ");
        push_reference(&mut query, self.selection);
        query
    }

    pub(super) fn fallbacks<DB>(&self) -> QueryBuilder<DB>
    where
        DB: Database,
        DB::Arguments: Default,
        for<'t> String: Encode<'t, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new("UPDATE credential_fallbacks AS m SET credential_id = ");
        query.push_bind(self.to.to_owned());
        query.push(" WHERE m.credential_id = ").push_bind(self.from.to_owned());
        self.push_owner(&mut query);
        query
    }

    /// Removes fallbacks that came to name a credential which the reference names before them: as its own, or as
    /// an earlier fallback. Runs after the move.
    pub(super) fn repeated<DB>(&self) -> QueryBuilder<DB>
    where
        DB: Database,
        DB::Arguments: Default,
        for<'t> String: Encode<'t, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new("DELETE FROM credential_fallbacks AS m WHERE m.credential_id = ");
        query.push_bind(self.to.to_owned());
        query.push(
            " AND (EXISTS (SELECT 1 FROM credential_references p
                           WHERE p.kind = m.kind AND p.consumer = m.consumer
                             AND p.credential_id = m.credential_id)
                   OR EXISTS (SELECT 1 FROM credential_fallbacks f
                              WHERE f.kind = m.kind AND f.consumer = m.consumer
                                AND f.credential_id = m.credential_id AND f.position < m.position))",
        );
        self.push_owner(&mut query);
        query
    }

    /// Further, that the caller can see the reference of the fallback `m`.
    fn push_owner<DB>(&self, query: &mut QueryBuilder<DB>)
    where
        DB: Database,
        for<'t> String: Encode<'t, DB> + Type<DB>,
    {
        query.push(" AND EXISTS (SELECT 1 FROM credential_references r ");
        query.push("WHERE r.kind = m.kind AND r.consumer = m.consumer AND ");
        push_reference(query, self.selection);
        query.push(")");
    }
}

/// The event with how many references it moved.
pub(super) fn counted(event: &NewEvent, references: u64) -> NewEvent {
    let mut metadata: Map<String, Value> = serde_json::from_str(&event.metadata).unwrap_or_default();
    metadata.insert("references".to_owned(), references.into());
    NewEvent { metadata: Value::Object(metadata).to_string(), ..event.clone() }
}
