//! Moving every reference of one credential to another.

use serde_json::{Map, Value};
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;

use super::selection::push_reference;
use super::{NewEvent, ReferenceRow};

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
}

/// The event with the names of the references that its change rewrote, and how many names in them it moved.
pub(super) fn with_references(event: &NewEvent, rows: &[ReferenceRow], moved: Option<i64>) -> NewEvent {
    let mut metadata: Map<String, Value> = serde_json::from_str(&event.metadata).unwrap_or_default();
    metadata.insert("changed_references".to_owned(), rows.iter().map(ReferenceRow::target).collect());
    if let Some(moved) = moved {
        metadata.insert("references".to_owned(), moved.into());
    }
    NewEvent { metadata: Value::Object(metadata).to_string(), ..event.clone() }
}
