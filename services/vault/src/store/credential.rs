//! Rows of credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx_macros::FromRow;
use strongroom_runtime::Selectors;
use strongroom_store::Result;

use super::granting::{Columns, Granting};
use super::request::{Once, RequestRow};
use super::{Changed, NewEvent};

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// The `credentials` table.
#[derive(Clone, FromRow, Serialize, Deserialize)]
pub struct CredentialRow {
    /// UUIDv7.
    pub id: String,
    /// Free text.
    pub display_name: String,
    /// Fixed at creation.
    pub provider: String,
    /// `srv1.…`, sealed for this row.
    pub secret: String,
    /// The part of the secret that can be shown.
    pub preview: String,
    /// Whether it can be used.
    pub active: bool,
    /// Creation time.
    pub create_time: i64,
    /// Time of the last change.
    pub update_time: i64,
    /// Time of the last reveal.
    pub last_used_time: Option<i64>,
    /// Expiry, from which it cannot be used.
    pub expire_time: Option<i64>,
    /// Number of changes, from 1.
    pub revision: i64,
    /// Its labels, a JSON object. `credential_labels` is an index of them.
    pub labels: String,
    /// Time when the secret was set. A restore brings back an older secret only for a credential that `--revive` names.
    pub secret_time: i64,
    /// Time when it was deactivated; `None` while it is active.
    pub deactivate_time: Option<i64>,
}

impl CredentialRow {
    /// Its labels; every writer of the row formats them with [`label_text`].
    pub(crate) fn labels(&self) -> Labels {
        serde_json::from_str(&self.labels).unwrap_or_default()
    }

    /// Whether it is inside the selection, judged by its authenticated columns.
    pub(super) fn is_inside(&self, selection: &Selectors) -> bool {
        selection.is_everything() || selection.admit_credential(&self.provider, &self.labels()).is_ok()
    }

    /// The row after `change`.
    pub(super) fn changed(self, change: &CredentialChange) -> Self {
        let deactivate_time = match change.active {
            Some(true) => None,
            Some(false) => self.deactivate_time.or(Some(change.now)),
            None => self.deactivate_time,
        };
        Self {
            deactivate_time,
            display_name: change.display_name.clone().unwrap_or(self.display_name),
            active: change.active.unwrap_or(self.active),
            expire_time: change.expire_time.unwrap_or(self.expire_time),
            labels: change.labels.as_ref().map_or(self.labels, label_text),
            update_time: change.now,
            revision: self.revision + 1,
            ..self
        }
    }
}

/// Labels in the format of the row.
pub(crate) fn label_text(labels: &Labels) -> String {
    serde_json::json!(labels).to_string()
}

impl Granting for CredentialRow {
    const TABLE: &'static str = "credentials";
    const SELECT: &'static str = SELECT;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.text(&self.display_name);
        columns.text(&self.provider);
        columns.text(&self.preview);
        columns.flag(self.active);
        columns.number(self.create_time);
        columns.number(self.update_time);
        columns.optional_number(self.expire_time);
        columns.number(self.revision);
        columns.text(&self.labels);
        columns.number(self.secret_time);
        columns.optional_number(self.deactivate_time);
    }
}

/// A credential with its parsed labels and its data from other tables.
#[derive(Clone)]
pub struct Credential {
    /// Its row.
    pub row: CredentialRow,
    /// Its labels.
    pub labels: Labels,
    /// References to it by kind, as far as the caller can see them.
    pub references: BTreeMap<String, i64>,
    /// Expiry of its previous secret, if it has one; possibly in the past.
    pub previous_expire_time: Option<i64>,
}

impl Credential {
    pub(super) fn bare(row: CredentialRow) -> Self {
        Self { labels: row.labels(), row, references: BTreeMap::new(), previous_expire_time: None }
    }
}

/// Filter for listing credentials; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CredentialFilter {
    /// Empty matches all.
    pub provider: String,
    /// `None` matches both.
    pub active: Option<bool>,
    /// Empty matches all.
    pub name_prefix: String,
    /// Labels that the credential must have, with these values.
    pub labels: Labels,
    /// The caller's selection.
    pub selection: Arc<Selectors>,
}

/// Changes to a credential; `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialChange {
    /// A new name.
    pub display_name: Option<String>,
    /// Labels that replace the old ones.
    pub labels: Option<Labels>,
    /// A new expiry, or `Some(None)` for no expiry.
    pub expire_time: Option<Option<i64>>,
    /// Activates or deactivates it.
    pub active: Option<bool>,
    /// Time of the change.
    pub now: i64,
}

/// Counts over all credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// All credentials.
    pub total: i64,
    /// Active credentials.
    pub active: i64,
    /// Their providers, sorted.
    pub providers: Vec<String>,
}

/// Number of references of one kind to a credential.
#[derive(FromRow)]
pub(super) struct ReferenceCountRow {
    pub(super) credential_id: String,
    pub(super) kind: String,
    pub(super) references: i64,
}

/// Expiry of a credential's previous secret.
#[derive(FromRow)]
pub(super) struct PreviousRow {
    pub(super) credential_id: String,
    pub(super) expire_time: i64,
}

/// Adds counts and previous secrets to their credentials.
pub(super) fn join(
    rows: Vec<CredentialRow>,
    counts: Vec<ReferenceCountRow>,
    previous: Vec<PreviousRow>,
) -> Vec<Credential> {
    let mut by_id: BTreeMap<String, Credential> =
        rows.into_iter().map(|row| (row.id.clone(), Credential::bare(row))).collect();
    for count in counts {
        if let Some(credential) = by_id.get_mut(&count.credential_id) {
            credential.references.insert(count.kind, count.references);
        }
    }
    for previous in previous {
        if let Some(credential) = by_id.get_mut(&previous.credential_id) {
            credential.previous_expire_time = Some(previous.expire_time);
        }
    }
    by_id.into_values().collect()
}

/// Credentials in the database.
#[async_trait]
pub(crate) trait CredentialStore: Send + Sync {
    /// Inserts a credential with its labels.
    async fn create_credential(&self, row: &CredentialRow, labels: &Labels, event: &NewEvent) -> Result<()>;
    /// The same, but only once: if the request was made before, nothing is inserted.
    async fn create_credential_once(
        &self,
        row: &CredentialRow,
        labels: &Labels,
        request: &RequestRow,
        event: &NewEvent,
    ) -> Result<Once<()>>;
    /// One credential, if the caller can see it.
    async fn credential(&self, id: &str, selection: &Selectors) -> Result<Option<Credential>>;
    /// Credentials with an id above `after`, by id.
    async fn credentials(
        &self,
        filter: &CredentialFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Credential>>;
    /// Makes the given changes; a given `revision` must be the current one.
    async fn update_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        change: &CredentialChange,
        event: &NewEvent,
    ) -> Result<Changed<()>>;
    /// Deletes a credential and returns the number of released references; with `block`, refuses if there are any.
    /// References that the caller cannot see are not counted and do not block.
    async fn delete_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        block: bool,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Changed<i64>>;
    /// Rows for reveals: those inside the selection, in any order.
    ///
    /// A row with a wrong MAC is an error for that row only.
    async fn credential_rows(
        &self,
        ids: &[String],
        selection: &Selectors,
    ) -> Result<Vec<(String, Result<CredentialRow>)>>;
    /// Counts over the credentials inside the selection.
    async fn credential_stats(&self, selection: &Selectors) -> Result<Stats>;
}

pub(super) const SELECT: &str = "
    SELECT c.id, c.display_name, c.provider, c.secret, c.preview, c.active, c.create_time, c.update_time,
           c.last_used_time, c.expire_time, c.revision, c.labels, c.secret_time, c.deactivate_time,
           c.row_kid, c.row_mac, c.change_id
    FROM credentials c";

pub(super) const INSERT: &str = "
    INSERT INTO credentials (id, display_name, provider, secret, preview, active, create_time, update_time,
                             last_used_time, expire_time, revision, labels, row_kid, row_mac, change_id, secret_time,
                             deactivate_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

pub(super) const INSERT_LABEL: &str = "
    INSERT INTO credential_labels (credential_id, name, value) VALUES ($1, $2, $3)";

pub(super) const DELETE_LABELS: &str = "DELETE FROM credential_labels WHERE credential_id = $1";

/// The columns that a change of a credential, or of its secret, can change.
pub(super) const UPDATE: &str = "
    UPDATE credentials
    SET display_name = $2, active = $3, expire_time = $4, update_time = $5, revision = $6, labels = $7, secret = $8,
        preview = $9, row_kid = $10, row_mac = $11, change_id = $12, secret_time = $13, deactivate_time = $14
    WHERE id = $1";

pub(super) const REVISION: &str = "SELECT revision FROM credentials WHERE id = $1";

pub(super) const ONE: &str = "
    SELECT c.id, c.display_name, c.provider, c.secret, c.preview, c.active, c.create_time, c.update_time,
           c.last_used_time, c.expire_time, c.revision, c.labels, c.secret_time, c.deactivate_time,
           c.row_kid, c.row_mac, c.change_id
    FROM credentials c WHERE c.id = $1";

pub(super) const DELETE: &str = "DELETE FROM credentials WHERE id = $1";

/// Deleted credentials, which a restore must not bring back unless somebody names them.
pub(super) const BURY: &str = "
    INSERT INTO credential_tombstones (id, display_name, provider, delete_time) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET delete_time = excluded.delete_time";

/// Bindings to the credential that follows in the statement; `r` is the reference.
pub(super) const COUNT_BINDINGS: &str = "
    SELECT count(*) FROM credential_references r WHERE r.credential_id = ";

/// Fallbacks to the credential that follows in the statement.
pub(super) const COUNT_FALLBACKS: &str = "
    SELECT count(*) FROM credential_fallbacks m
    JOIN credential_references r ON r.kind = m.kind AND r.consumer = m.consumer
    WHERE m.credential_id = ";

pub(super) const COUNT: &str = "
    SELECT count(*), count(CASE WHEN c.active THEN 1 END) FROM credentials c WHERE ";

pub(super) const PROVIDERS: &str = "SELECT DISTINCT c.provider FROM credentials c WHERE ";
