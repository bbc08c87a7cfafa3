//! Rows of previous secrets, and replacing a credential's secret.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::granting::{Columns, Granting};
use super::request::{Once, RequestRow};
use super::{Changed, NewEvent};

/// The `credential_versions` table: a secret before the last rotation.
#[derive(Clone, FromRow, Serialize, Deserialize)]
pub(crate) struct VersionRow {
    /// UUIDv7.
    pub id: String,
    /// Its credential, which has at most one previous secret.
    pub credential_id: String,
    /// `srv1.…`, sealed for this row.
    pub secret: String,
    /// The part of the secret that can be shown.
    pub preview: String,
    /// Time of the replacement.
    pub create_time: i64,
    /// Expiry, from which it can no longer be opened.
    pub expire_time: i64,
}

impl Granting for VersionRow {
    const TABLE: &'static str = "credential_versions";
    const SELECT: &'static str = ALL;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.id);
        columns.text(&self.credential_id);
        columns.text(&self.preview);
        columns.number(self.create_time);
        columns.number(self.expire_time);
    }
}

/// A replacement of a credential's current secret.
pub(crate) struct Replacement {
    /// The credential.
    pub(crate) credential_id: String,
    /// The revision that was read.
    pub(crate) revision: i64,
    /// The new secret, sealed for the credential's row.
    pub(crate) secret: String,
    /// The part of the new secret that can be shown.
    pub(crate) preview: String,
    /// The old secret, if it is kept; an earlier previous secret is deleted in any case.
    pub(crate) previous: Option<VersionRow>,
    /// Time of the change.
    pub(crate) now: i64,
}

/// Previous secrets in the database.
#[async_trait]
pub(crate) trait VersionStore: Send + Sync {
    /// Replaces the secret; a `request` that was made before changes nothing.
    async fn replace_secret(
        &self,
        replacement: &Replacement,
        request: Option<&RequestRow>,
        event: &NewEvent,
    ) -> Result<Once<Changed<()>>>;
    /// The previous secret, if it can still be opened at `now`.
    async fn previous_secret(&self, credential_id: &str, now: i64) -> Result<Option<VersionRow>>;
}

pub(super) const ALL: &str = "
    SELECT id, credential_id, secret, preview, create_time, expire_time, row_kid, row_mac, change_id
    FROM credential_versions";

pub(super) const SELECT: &str = "
    SELECT id, credential_id, secret, preview, create_time, expire_time, row_kid, row_mac, change_id
    FROM credential_versions
    WHERE credential_id = $1 AND expire_time > $2";

pub(super) const INSERT: &str = "
    INSERT INTO credential_versions (id, credential_id, secret, preview, create_time, expire_time,
                                     row_kid, row_mac, change_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

pub(super) const DELETE: &str = "DELETE FROM credential_versions WHERE credential_id = $1";

pub(super) const SWEEP: &str = "DELETE FROM credential_versions WHERE expire_time <= $1";
