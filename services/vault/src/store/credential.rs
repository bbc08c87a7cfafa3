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
    /// `srv1.…`: sealed for this row.
    pub secret: String,
    /// What may be shown.
    pub preview: String,
    /// May be used.
    pub active: bool,
    /// When it was created.
    pub create_time: i64,
    /// When it was last changed.
    pub update_time: i64,
    /// When it was last revealed.
    pub last_used_time: Option<i64>,
    /// From when on it may not be used.
    pub expire_time: Option<i64>,
    /// Counts changes, from 1.
    pub revision: i64,
    /// Its labels, a JSON object. `credential_labels` is an index of them.
    pub labels: String,
    /// When its secret was set: a restore brings no older one back.
    pub secret_time: i64,
    /// Since when it is inactive; `None` while it is active.
    pub deactivate_time: Option<i64>,
}

impl CredentialRow {
    /// Its labels; whoever writes to the row writes them as [`label_text`] does.
    pub(crate) fn labels(&self) -> Labels {
        serde_json::from_str(&self.labels).unwrap_or_default()
    }

    /// Whether it is inside, by what is authenticated.
    pub(super) fn is_inside(&self, selection: &Selectors) -> bool {
        selection.is_everything() || selection.admit_credential(&self.provider, &self.labels()).is_ok()
    }

    /// After `change`.
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

/// Labels as a row has them.
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

/// A credential with what stands in other tables.
#[derive(Clone)]
pub struct Credential {
    /// Its own row.
    pub row: CredentialRow,
    /// Its labels.
    pub labels: Labels,
    /// References to it by kind, as far as the caller can see them.
    pub references: BTreeMap<String, i64>,
    /// Until when its previous secret opens, if it has one; that may be over.
    pub previous_expire_time: Option<i64>,
}

impl Credential {
    pub(super) fn bare(row: CredentialRow) -> Self {
        Self { labels: row.labels(), row, references: BTreeMap::new(), previous_expire_time: None }
    }
}

/// Which credentials to list; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CredentialFilter {
    /// Empty matches all.
    pub provider: String,
    /// `None` matches both.
    pub active: Option<bool>,
    /// Empty matches all.
    pub name_prefix: String,
    /// Each must be carried with this value.
    pub labels: Labels,
    /// What the caller can see.
    pub selection: Arc<Selectors>,
}

/// What to change; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialChange {
    /// A new name.
    pub display_name: Option<String>,
    /// Labels to replace the old ones.
    pub labels: Option<Labels>,
    /// A new expiry, or none any more.
    pub expire_time: Option<Option<i64>>,
    /// In or out of use.
    pub active: Option<bool>,
    /// When the change is made.
    pub now: i64,
}

/// Counts over all credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// All of them.
    pub total: i64,
    /// The active ones.
    pub active: i64,
    /// Their providers, sorted.
    pub providers: Vec<String>,
}

/// How many references of a kind point at a credential.
#[derive(FromRow)]
pub(super) struct ReferenceCountRow {
    pub(super) credential_id: String,
    pub(super) kind: String,
    pub(super) references: i64,
}

/// Until when the previous secret of a credential opens.
#[derive(FromRow)]
pub(super) struct PreviousRow {
    pub(super) credential_id: String,
    pub(super) expire_time: i64,
}

/// Puts counts and previous secrets to the credentials they belong to.
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
    /// The same, once: with a request that came before it inserts nothing.
    async fn create_credential_once(
        &self,
        row: &CredentialRow,
        labels: &Labels,
        request: &RequestRow,
        event: &NewEvent,
    ) -> Result<Once<()>>;
    /// One credential, when the caller can see it.
    async fn credential(&self, id: &str, selection: &Selectors) -> Result<Option<Credential>>;
    /// Credentials with an id above `after`, by id.
    async fn credentials(
        &self,
        filter: &CredentialFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Credential>>;
    /// Changes what `change` names; a given `revision` must be the current one.
    async fn update_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        change: &CredentialChange,
        event: &NewEvent,
    ) -> Result<Changed<()>>;
    /// Deletes a credential and counts the references released; with `block`, refuses while there are any. Those
    /// that the caller cannot see neither count nor block.
    async fn delete_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        block: bool,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Changed<i64>>;
    /// What reveals look at: rows, without labels and references, of those that are inside, in any order.
    ///
    /// One that does not open is its own error, and no other row's.
    async fn credential_rows(
        &self,
        ids: &[String],
        selection: &Selectors,
    ) -> Result<Vec<(String, Result<CredentialRow>)>>;
    /// Counts of what is inside.
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

/// What a change of a credential may change, and its secret.
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

/// What a restore must not bring back unless somebody names it.
pub(super) const BURY: &str = "
    INSERT INTO credential_tombstones (id, display_name, provider, delete_time) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET delete_time = excluded.delete_time";

/// Bindings to the credential that follows; `r` is the reference.
pub(super) const COUNT_BINDINGS: &str = "
    SELECT count(*) FROM credential_references r WHERE r.credential_id = ";

/// Fallbacks to it.
pub(super) const COUNT_FALLBACKS: &str = "
    SELECT count(*) FROM credential_fallbacks m
    JOIN credential_references r ON r.kind = m.kind AND r.consumer = m.consumer
    WHERE m.credential_id = ";

pub(super) const COUNT: &str = "
    SELECT count(*), count(CASE WHEN c.active THEN 1 END) FROM credentials c WHERE ";

pub(super) const PROVIDERS: &str = "SELECT DISTINCT c.provider FROM credentials c WHERE ";
