//! Moves every reference from one credential to another.

use serde_json::{Map, Value};
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;

use super::selection::push_reference;
use super::{NewEvent, ReferenceRow};

/// References to be moved.
pub(crate) struct Reassignment<'a> {
    /// The old credential.
    pub(crate) from: &'a str,
    /// The new credential.
    pub(crate) to: &'a str,
    /// The new credential's provider.
    pub(crate) provider: &'a str,
    /// The caller's selection: other references are left as they are.
    pub(crate) selection: &'a Selectors,
    /// Time of the change.
    pub(crate) now: i64,
}

/// Result of a reassignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reassigned {
    /// Number of moved bindings and fallbacks.
    Done(i64),
    /// This credential no longer exists.
    Missing(String),
    /// This reference needs another provider; nothing was moved.
    Mismatch(MismatchRow),
}

/// A reference that needs another provider.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct MismatchRow {
    /// Its kind.
    pub kind: String,
    /// Its consumer.
    pub consumer: String,
    /// The provider that it needs.
    pub needs_provider: String,
}

impl Reassignment<'_> {
    /// Both credentials, in locking order.
    pub(super) fn credentials(&self) -> [&str; 2] {
        if self.from < self.to { [self.from, self.to] } else { [self.to, self.from] }
    }

    /// The first reference to the old credential that the new one's provider does not suit.
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

/// The event, with the names of the references that were rewritten and, if given, the number of credential ids that
/// were replaced in them.
pub(super) fn with_references(event: &NewEvent, rows: &[ReferenceRow], moved: Option<i64>) -> NewEvent {
    let mut metadata: Map<String, Value> = serde_json::from_str(&event.metadata).unwrap_or_default();
    metadata.insert("changed_references".to_owned(), rows.iter().map(ReferenceRow::target).collect());
    if let Some(moved) = moved {
        metadata.insert("references".to_owned(), moved.into());
    }
    NewEvent { metadata: Value::Object(metadata).to_string(), ..event.clone() }
}
