//! Errors of restores of the vault.

use strongroom_runtime::status::{bad_field, status};
use tonic::{Code, Status};

use super::DOMAIN;

/// Errors of restores of the vault itself.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The service has no restore grant.
    #[error(
        "a service changes this vault only with a restore grant: plan the restore, and apply it with a token that holds the \
         permission vault.restore, as `strongroom restore apply` does"
    )]
    GrantMissing,
    /// The grant is for another service or restore, or was not made by this vault.
    #[error(
        "the restore grant is not one of this vault for this service and this restore; plan the restore again, and apply it with \
         `strongroom restore apply`"
    )]
    GrantInvalid,
    /// The grant is older than 24 hours.
    #[error("the restore grant is older than 24 hours; plan the restore again, and apply it")]
    GrantExpired,
    /// The grantor has ended or lost the permission to restore the vault.
    #[error(
        "{0}, which granted the restore, has ended or lost the permission vault.restore; plan the restore again, and apply it \
         with another token"
    )]
    GrantEnded(String),
    /// The grant is used up: each grant allows one commit.
    #[error("the restore {0} is already committed, and its grant is used up; plan a new restore")]
    GrantUsed(String),
    /// This service has no stage with this id.
    #[error(
        "there is no stage {0}; it was never begun by this service, or was dropped when its time ran out"
    )]
    StageNotFound(String),
    /// The stage is committed.
    #[error("the stage {0} is committed; roll it back before it is staged again")]
    StageCommitted(String),
    /// The stage is in the wrong state.
    #[error("the stage {id} is {state}; {needs}")]
    StageState {
        /// The stage.
        id: String,
        /// Its state.
        state: &'static str,
        /// The state or step that is needed.
        needs: &'static str,
    },
    /// A later restore was committed. It could no longer be rolled back if this one were rolled back first.
    #[error("the restore {later} was committed after {id}; roll that one back first")]
    Superseded {
        /// The stage.
        id: String,
        /// Id of the later restore.
        later: String,
    },
    /// Rows were changed after the restore.
    #[error(
        "rows were changed since the restore: {rows}; --discard-changes rolls the restore back anyway, but \
         whatever was deleted, deactivated or rotated since stays so"
    )]
    Changed {
        /// Some of these rows.
        rows: String,
    },
    /// The vault has credentials, but the restore needs an empty vault: because of its mode, or because the vault would
    /// become another deployment.
    #[error("the vault has credentials; restore with --mode merge or --mode replace")]
    NotEmpty,
    /// The archive belongs to another deployment, and this vault has credentials.
    #[error(
        "the archive is from another deployment, {found}, and this vault has credentials: if that is what \
         you want to restore here, name it with --from-deployment {found}"
    )]
    ForeignDeployment {
        /// The archive's deployment.
        found: String,
    },
    /// `--revive` names an id that the archive does not contain.
    #[error(
        "--revive {0}: the archive has no credential with this id; a plan without --revive names those that stay as they are"
    )]
    NoneToRevive(String),
    /// A row that must carry a MAC has no valid one.
    #[error(
        "the archive's {table} {row} has no valid MAC: it was made or changed by somebody without that \
         vault's key. Nothing of this archive is restored; use an older one"
    )]
    RowUnauthenticated {
        /// Its table.
        table: &'static str,
        /// Its key.
        row: String,
    },
    /// The row's MAC is of a key version that is retired in this vault.
    #[error(
        "the MAC of the archive's {table} {row} was made with the key version {kid}, which is disabled or \
         to be destroyed in this vault. Enable it (`strongroom key enable {kid}`), restore, and disable it \
         again; or use an archive made after its rotation"
    )]
    RowKeyRetired {
        /// Its table.
        table: &'static str,
        /// Its key.
        row: String,
        /// The version.
        kid: String,
    },
    /// The row does not fit this vault's tables.
    #[error("a row of {table} cannot be accepted: {problem}")]
    Row {
        /// Its table.
        table: &'static str,
        /// The problem.
        problem: String,
    },
    /// Messages are out of order, or rows are too long.
    #[error("{0}")]
    Protocol(String),
    /// The number of received rows differs from the announced number.
    #[error("{table} should have {said} rows, but {received} arrived")]
    RowCount {
        /// The table.
        table: &'static str,
        /// The number announced at the end of the table.
        said: i64,
        /// The number received.
        received: i64,
    },
    /// No key opens the secret.
    #[error(
        "the secret of {table} {row} does not open under the archive's key ring; supply the root key that it needs, enable its key \
         version if that is disabled (`strongroom key enable`), or restore it as it is with --accept-undecryptable"
    )]
    Undecryptable {
        /// The table.
        table: &'static str,
        /// The row.
        row: String,
    },
    /// Too many restores or plans are running.
    #[error("{0} restores or plans of the vault are running already; try again when one of them is done")]
    Busy(usize),
}

impl From<&RestoreError> for Status {
    fn from(error: &RestoreError) -> Self {
        let message = error.to_string();
        let known =
            |code, reason, metadata: &[(&str, &str)]| status(code, DOMAIN, reason, &message, metadata);
        let refused = |reason| known(Code::FailedPrecondition, reason, &[]);
        match error {
            RestoreError::GrantMissing => known(Code::PermissionDenied, "GRANT_MISSING", &[]),
            RestoreError::GrantInvalid => known(Code::PermissionDenied, "GRANT_INVALID", &[]),
            RestoreError::GrantExpired => known(Code::PermissionDenied, "GRANT_EXPIRED", &[]),
            RestoreError::GrantEnded(principal) => {
                known(Code::PermissionDenied, "GRANT_ENDED", &[("principal", principal)])
            }
            RestoreError::GrantUsed(_) => refused("GRANT_USED"),
            RestoreError::StageNotFound(id) => known(Code::NotFound, "STAGE_NOT_FOUND", &[("id", id)]),
            RestoreError::StageCommitted(_) => refused("STAGE_COMMITTED"),
            RestoreError::StageState { state, .. } => {
                known(Code::FailedPrecondition, "STAGE_STATE", &[("state", state)])
            }
            RestoreError::Superseded { later, .. } => {
                known(Code::FailedPrecondition, "STAGE_SUPERSEDED", &[("later", later)])
            }
            RestoreError::Changed { .. } => refused("STAGE_CHANGED"),
            RestoreError::NotEmpty => refused("NOT_EMPTY"),
            RestoreError::ForeignDeployment { found } => {
                known(Code::FailedPrecondition, "FOREIGN_DEPLOYMENT", &[("deployment_id", found)])
            }
            RestoreError::NoneToRevive(id) => {
                known(Code::FailedPrecondition, "NONE_TO_REVIVE", &[("id", id)])
            }
            RestoreError::RowUnauthenticated { table, row } => {
                known(Code::FailedPrecondition, "ROW_UNAUTHENTICATED", &[("table", table), ("row", row)])
            }
            RestoreError::RowKeyRetired { table, row, kid } => known(
                Code::FailedPrecondition,
                "ROW_KEY_RETIRED",
                &[("table", table), ("row", row), ("kid", kid)],
            ),
            RestoreError::Row { table, .. } => {
                bad_field(DOMAIN, "ROW_INVALID", "rows.json", &message, &[("table", table)])
            }
            RestoreError::Protocol(_) => bad_field(DOMAIN, "STAGE_PROTOCOL", "message", &message, &[]),
            RestoreError::RowCount { table, .. } => {
                bad_field(DOMAIN, "ROW_COUNT", "table_end.rows", &message, &[("table", table)])
            }
            RestoreError::Undecryptable { table, row } => {
                known(Code::FailedPrecondition, "VALUES_UNDECRYPTABLE", &[("table", table), ("row", row)])
            }
            RestoreError::Busy(_) => known(Code::ResourceExhausted, "RESTORES_BUSY", &[]),
        }
    }
}
