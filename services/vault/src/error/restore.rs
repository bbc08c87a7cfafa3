//! What stands against a restore of the vault.

use strongroom_runtime::status::{bad_field, status};
use tonic::{Code, Status};

use super::DOMAIN;

/// Errors of restores of the vault itself.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Nobody who may restore the vault has allowed it.
    #[error(
        "a service changes this vault only with a restore grant: plan the restore, and apply it with a token that holds the \
         permission vault.restore, as `strongroom restore apply` does"
    )]
    GrantMissing,
    /// It was made for something else, or not by this vault.
    #[error(
        "the restore grant is not one of this vault for this service and this restore; plan the restore again, and apply it with \
         `strongroom restore apply`"
    )]
    GrantInvalid,
    /// Too old.
    #[error("the restore grant is older than 24 hours; plan the restore again, and apply it")]
    GrantExpired,
    /// Who granted may not any more.
    #[error(
        "{0}, which granted the restore, has ended or lost the permission vault.restore; plan the restore again, and apply it \
         with another token"
    )]
    GrantEnded(String),
    /// One grant, one commit.
    #[error("the restore {0} was committed before, and its grant is used up; plan a new restore")]
    GrantUsed(String),
    /// There is no such stage of this caller.
    #[error("there is no stage {0}; it was never begun by this service, or was dropped after its time")]
    StageNotFound(String),
    /// It is committed.
    #[error("the stage {0} is committed; roll it back before it is staged again")]
    StageCommitted(String),
    /// It is in another state.
    #[error("the stage {id} is {state}; {needs}")]
    StageState {
        /// The stage.
        id: String,
        /// Its state.
        state: &'static str,
        /// What it must be.
        needs: &'static str,
    },
    /// A restore after it would lose its way back.
    #[error("the restore {later} was committed after {id}; roll that one back first")]
    Superseded {
        /// The stage.
        id: String,
        /// The later one.
        later: String,
    },
    /// Rows were changed since.
    #[error(
        "rows were changed since the restore: {rows}; --discard-changes takes the restore back nevertheless, but what was \
         deleted, deactivated or rotated since stays so"
    )]
    Changed {
        /// Some of them.
        rows: String,
    },
    /// The mode asks for an empty vault, or the vault was to become another deployment.
    #[error("the vault has credentials; restore with --mode merge or --mode replace")]
    NotEmpty,
    /// Of another deployment.
    #[error(
        "the archive is of another deployment, {found}, and this vault has credentials: if that is what you want to restore here, \
         name it with --from-deployment {found}"
    )]
    ForeignDeployment {
        /// The archive's.
        found: String,
    },
    /// An id that is to be revived is none of the archive's.
    #[error(
        "--revive {0}: the archive has no credential with this id; a plan without --revive names those that stay as they are"
    )]
    NoneToRevive(String),
    /// A row that must carry a code, and does not.
    #[error(
        "the archive's {table} {row} has no valid code: somebody who has no key of that vault has made or changed it. Nothing of \
         this archive is restored; use an older one"
    )]
    RowUnauthenticated {
        /// Its table.
        table: &'static str,
        /// Its key.
        row: String,
    },
    /// Its code is of a key version that is retired here.
    #[error(
        "the code of the archive's {table} {row} is of the key version {kid}, which is disabled or to be destroyed in this vault. \
         Enable it (`strongroom key enable {kid}`), restore, and disable it again; or use an archive made after its rotation"
    )]
    RowKeyRetired {
        /// Its table.
        table: &'static str,
        /// Its key.
        row: String,
        /// The version.
        kid: String,
    },
    /// Not a row of this vault's tables.
    #[error("a row of {table} cannot be taken: {problem}")]
    Row {
        /// Its table.
        table: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Messages in a wrong order, or rows that are too long.
    #[error("{0}")]
    Protocol(String),
    /// More or fewer rows than were said.
    #[error("{table} was said to have {said} rows, and {received} came")]
    RowCount {
        /// The table.
        table: &'static str,
        /// By the end of the table.
        said: i64,
        /// Received.
        received: i64,
    },
    /// A secret that no key opens.
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
    /// Too much at once.
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
