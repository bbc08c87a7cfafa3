//! Rows of references and their resolution.

use std::sync::Arc;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;
use strongroom_store::Result;

use super::NewEvent;
use super::granting::{Columns, Granting};
use super::reassignment::{Reassigned, Reassignment};
use super::resolution::CandidateRow;

/// The `credential_references` table. `credential_fallbacks` is an index of the fallbacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow, Serialize, Deserialize)]
pub struct ReferenceRow {
    /// Kind of the consumer.
    pub kind: String,
    /// Its id or name within the kind.
    pub consumer: String,
    /// `None` after the credential was deleted, and for a reference that goes through another.
    pub credential_id: Option<String>,
    /// Empty if any provider will do.
    pub needs_provider: String,
    /// Time of the first binding.
    pub create_time: i64,
    /// Time of the last binding or release.
    pub update_time: i64,
    /// Kind of the reference whose credential is used instead; empty if bound directly.
    pub via_kind: String,
    /// Its consumer.
    pub via_consumer: String,
    /// Ids of fallback credentials, in order, separated by blanks.
    pub fallbacks: String,
}

impl ReferenceRow {
    /// Ids of fallback credentials, in order.
    pub(crate) fn fallback_ids(&self) -> impl Iterator<Item = &str> {
        self.fallbacks.split_ascii_whitespace()
    }

    /// The credentials that it names, in locking order.
    pub(super) fn credential_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.credential_id.as_deref().into_iter().chain(self.fallback_ids()).collect();
        ids.sort_unstable();
        ids
    }

    /// Its name in audit events.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.kind, self.consumer)
    }

    /// The reference without the credential `id`, which no longer exists.
    pub(super) fn without(self, id: &str) -> Self {
        let fallbacks: Vec<&str> = self.fallback_ids().filter(|fallback| *fallback != id).collect();
        Self {
            fallbacks: fallbacks.join(" "),
            credential_id: self.credential_id.filter(|credential| credential != id),
            ..self
        }
    }

    /// The reference with `to` in place of `from`, and the number of replaced names. A credential that would then be
    /// named twice is kept only once.
    pub(super) fn reassigned(self, from: &str, to: &str, now: i64) -> (Self, i64) {
        let moved = |id: &str| if id == from { to.to_owned() } else { id.to_owned() };
        let names = self.credential_id.as_deref().into_iter().chain(self.fallback_ids());
        let count = names.filter(|id| *id == from).count();
        let credential_id = self.credential_id.as_deref().map(moved);
        let mut fallbacks: Vec<String> = Vec::new();
        for id in self.fallback_ids().map(moved) {
            let repeats = credential_id.as_deref() == Some(to) || fallbacks.contains(&id);
            if id != to || !repeats {
                fallbacks.push(id);
            }
        }
        let fallbacks = fallbacks.join(" ");
        (
            Self { credential_id, fallbacks, update_time: now, ..self },
            i64::try_from(count).unwrap_or(i64::MAX),
        )
    }

    /// Whether it cannot resolve to anything.
    pub(super) fn leads_nowhere(&self) -> bool {
        self.credential_id.is_none() && self.via_kind.is_empty() && self.fallbacks.is_empty()
    }
}

impl Granting for ReferenceRow {
    const TABLE: &'static str = "credential_references";
    const SELECT: &'static str = SELECT;
    const LIST: u8 = 1;
    const KEY: &'static str = "kind = $4 AND consumer = $5";

    fn name(&self) -> String {
        self.target()
    }

    fn key(&self) -> Vec<String> {
        vec![self.kind.clone(), self.consumer.clone()]
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.kind);
        columns.text(&self.consumer);
        columns.optional_text(self.credential_id.as_deref());
        columns.text(&self.needs_provider);
        columns.number(self.create_time);
        columns.number(self.update_time);
        columns.text(&self.via_kind);
        columns.text(&self.via_consumer);
        columns.text(&self.fallbacks);
    }
}

/// Filter for listing references; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReferenceFilter {
    /// Bound to this credential, or with it as a fallback. Empty matches all.
    pub credential_id: String,
    /// Empty matches all.
    pub kind: String,
    /// The caller's selection.
    pub selection: Arc<Selectors>,
}

/// Result of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is bound, and its event is in the log.
    Done(ReferenceRow),
    /// A credential that it names does not exist.
    Missing(String),
    /// The reference that it should go through does not exist.
    ViaMissing,
    /// It would go through a reference that itself goes through another.
    ViaIndirect,
    /// The reference exists, but the caller cannot see it.
    Outside,
}

/// References in the database.
#[async_trait]
pub(crate) trait ReferenceStore: Send + Sync {
    /// Binds or rebinds a reference; `create_time` of an earlier row is kept.
    async fn bind_reference(
        &self,
        row: &ReferenceRow,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Bound>;
    /// One reference, if the caller can see it.
    async fn reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
    ) -> Result<Option<ReferenceRow>>;
    /// References above `after`, in the order (kind, consumer).
    async fn references(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>>;
    /// Candidates, inside the selection, of references given by kind and consumer: in order for each reference, nothing
    /// for a missing one, and an error for one that was changed outside the vault. The references' own kinds are not
    /// checked.
    async fn candidates(
        &self,
        references: &[(String, String)],
        selection: &Selectors,
    ) -> Result<BTreeMap<(String, String), Result<Vec<CandidateRow>>>>;
    /// Moves all references of a credential, or none. The event gets their number as `references`.
    async fn reassign_references(&self, moved: &Reassignment<'_>, event: &NewEvent) -> Result<Reassigned>;
    /// Removes a reference that the caller can see; false if there is none.
    async fn release_reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<bool>;
}

pub(super) const SELECT: &str = "
    SELECT r.kind, r.consumer, r.credential_id, r.needs_provider, r.create_time, r.update_time,
           r.via_kind, r.via_consumer, r.fallbacks, r.row_kid, r.row_mac, r.change_id
    FROM credential_references r";

/// The references in `asked` (kind, consumer), and the ones that they go through.
pub(super) const ASKED: &str = "
    SELECT r.kind, r.consumer, r.credential_id, r.needs_provider, r.create_time, r.update_time,
           r.via_kind, r.via_consumer, r.fallbacks, r.row_kid, r.row_mac, r.change_id
    FROM asked a JOIN credential_references r ON r.kind = a.kind AND r.consumer = a.consumer
    UNION ALL
    SELECT t.kind, t.consumer, t.credential_id, t.needs_provider, t.create_time, t.update_time,
           t.via_kind, t.via_consumer, t.fallbacks, t.row_kid, t.row_mac, t.change_id
    FROM asked a JOIN credential_references r ON r.kind = a.kind AND r.consumer = a.consumer
    JOIN credential_references t ON t.kind = r.via_kind AND t.consumer = r.via_consumer";

/// [`ASKED`] with the credentials that they are bound to or fall back to: all read at the same moment.
pub(super) const LED: &str = "), named AS (
    SELECT r.kind, r.consumer, r.credential_id FROM led r
    UNION ALL
    SELECT m.kind, m.consumer, m.credential_id FROM led r
    JOIN credential_fallbacks m ON m.kind = r.kind AND m.consumer = r.consumer
) SELECT r.*,
    c.id AS c_id, c.display_name AS c_display_name, c.provider AS c_provider, c.secret AS c_secret,
    c.preview AS c_preview, c.active AS c_active, c.create_time AS c_create_time, c.update_time AS c_update_time,
    c.last_used_time AS c_last_used_time, c.expire_time AS c_expire_time, c.revision AS c_revision,
    c.labels AS c_labels, c.secret_time AS c_secret_time, c.deactivate_time AS c_deactivate_time, c.row_kid AS c_row_kid, c.row_mac AS c_row_mac, c.change_id AS c_change_id
    FROM led r JOIN named n ON n.kind = r.kind AND n.consumer = r.consumer
    LEFT JOIN credentials c ON c.id = n.credential_id";

pub(super) const WRITE: &str = "
    INSERT INTO credential_references
        (kind, consumer, credential_id, needs_provider, create_time, update_time, via_kind, via_consumer, fallbacks,
         row_kid, row_mac, change_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (kind, consumer) DO UPDATE
    SET credential_id = excluded.credential_id,
        needs_provider = excluded.needs_provider,
        create_time = excluded.create_time,
        update_time = excluded.update_time,
        via_kind = excluded.via_kind,
        via_consumer = excluded.via_consumer,
        fallbacks = excluded.fallbacks,
        row_kid = excluded.row_kid,
        row_mac = excluded.row_mac,
        change_id = excluded.change_id";

pub(super) const DELETE_FALLBACKS: &str =
    "DELETE FROM credential_fallbacks WHERE kind = $1 AND consumer = $2";

pub(super) const INSERT_FALLBACK: &str = "
    INSERT INTO credential_fallbacks (kind, consumer, position, credential_id) VALUES ($1, $2, $3, $4)";

/// Empty if the reference is bound directly.
pub(super) const VIA_OF: &str =
    "SELECT via_kind FROM credential_references WHERE kind = $1 AND consumer = $2";

/// References that go through this one.
pub(super) const COUNT_VIA: &str = "
    SELECT count(*) FROM credential_references WHERE via_kind = $1 AND via_consumer = $2";

pub(super) const RELEASE: &str = "DELETE FROM credential_references WHERE kind = $1 AND consumer = $2";

/// References that name a credential, as their own or as a fallback. Further conditions on `r` can follow.
pub(super) fn naming<DB>(credential_id: &str) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(SELECT);
    query.push(" WHERE (r.kind, r.consumer) IN (");
    query.push("SELECT n.kind, n.consumer FROM credential_references n WHERE n.credential_id = ");
    query.push_bind(credential_id.to_owned());
    query.push(" UNION ALL SELECT m.kind, m.consumer FROM credential_fallbacks m WHERE m.credential_id = ");
    query.push_bind(credential_id.to_owned()).push(")");
    query
}
