//! The reasons to refuse a restore, from the archive as a whole down to single tables.

use std::collections::BTreeSet;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::{VerifyLevel, VerifyOutcome};

use super::super::record::Request;
use crate::vault_client::InspectedRing;
use crate::verification::Findings;

/// Maximum number of refusals that are kept; further ones of a source are dropped.
const MOST: usize = 1_000;

/// The refusals, in the order in which they were found.
#[derive(Default)]
pub(super) struct Refusals {
    all: Vec<proto::RestoreRefusal>,
    is_damaged: bool,
    is_foreign: bool,
}

impl Refusals {
    /// Refusals from the verification.
    pub(super) fn of(findings: &Findings, has_signer: bool) -> Self {
        let mut refusals = Self::default();
        for level in &findings.verdict().levels {
            let problem = level.problem.as_str();
            match (level.level(), level.outcome()) {
                (VerifyLevel::Framing, VerifyOutcome::Failed) if findings.is_sealed() => {
                    refusals.is_damaged = true;
                    refusals.push("SEAL_CLOSED", &format!("the archive cannot be opened here: {problem}"));
                }
                (VerifyLevel::Framing | VerifyLevel::Content, VerifyOutcome::Failed) => {
                    refusals.is_damaged = true;
                    let message = format!("the archive is not intact: {problem}; restore another one");
                    refusals.push("ARCHIVE_DAMAGED", &message);
                }
                (VerifyLevel::Signature, VerifyOutcome::UnknownSigner) => {
                    refusals.is_foreign = true;
                    refusals.push("UNKNOWN_SIGNER", &unknown_signer(problem, has_signer));
                }
                (VerifyLevel::Signature, VerifyOutcome::Failed) => {
                    refusals.is_damaged = true;
                    refusals.push("ARCHIVE_DAMAGED", &format!("the archive's signature is wrong: {problem}"));
                }
                _ => {}
            }
        }
        refusals
    }

    /// Whether nothing in the archive is reliable.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Whether the signer is unknown. The rows of such an archive are neither staged nor compared in a database.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Checks sealed values of the tables to restore; those of other tables do not matter.
    pub(super) fn check_values(&mut self, findings: &Findings, has: impl Fn(&str) -> bool) {
        let values = i32::from(VerifyLevel::Values);
        let found = findings.verdict().levels.iter().find(|level| level.level == values);
        let Some(level) = found.filter(|level| level.outcome() == VerifyOutcome::Failed) else { return };
        let problem = match (findings.values_in(has), findings.closed_values()) {
            ((_, 0), 1..) => return,
            ((values, closed @ 1..), _) => format!("{closed} of {values} sealed values would not open"),
            // Not all of them could be checked.
            _ => level.problem.clone(),
        };
        let message = format!(
            "{problem}; supply the root key or key ring that they need, enable a disabled key version \
             (`strongroom key enable`), or restore them as they are with --accept-undecryptable"
        );
        self.push("VALUES_UNDECRYPTABLE", &message);
    }

    /// The archive must belong to the vault's own deployment, or to the one that the request names. The exception is a
    /// restore into a vault without credentials: that vault adopts the archive's deployment id, or keeps its own with
    /// `--as-copy`.
    pub(super) fn check_deployment(
        &mut self,
        inspected: Option<&InspectedRing>,
        manifest_deployment: Option<&str>,
        request: &Request,
        restores_vault: bool,
    ) {
        let wanted = request.from_deployment.as_str();
        let found = inspected.map(|ring| ring.deployment_id.as_str());
        let found = found.or(manifest_deployment).unwrap_or("none").to_owned();
        let is_own = inspected.is_some_and(|ring| ring.same_deployment);
        let becomes_it =
            restores_vault && inspected.is_some_and(|ring| ring.vault_empty && ring.root_key_known);
        let message = match (wanted, is_own || becomes_it) {
            ("", true) => return,
            ("", false) => format!(
                "the archive is from another deployment, {found}: if that is what you want to restore here, \
                 name it with --from-deployment {found}"
            ),
            (wanted, _) if wanted == found => return,
            (wanted, _) => format!(
                "the archive is from the deployment {found}, not from {wanted}: if that is what you want to \
                 restore here, name it with --from-deployment {found}"
            ),
        };
        self.push("FOREIGN_DEPLOYMENT", &message);
    }

    /// Under another root key, all values sealed by the archive's ring must be sealed again, which is impossible for an
    /// undeclared column, because nobody knows how it was sealed.
    pub(super) fn check_undeclared(
        &mut self,
        findings: &Findings,
        kids: &BTreeSet<String>,
        has: impl Fn(&str) -> bool,
    ) {
        let found = findings.sealed_texts().sealed_by(kids).filter(|(table, _)| has(table));
        let refused: Vec<proto::RestoreRefusal> = found
            .map(|(table, column)| proto::RestoreRefusal {
                reason: "COLUMN_UNDECLARED".to_owned(),
                message: format!(
                    "{table}.{column} holds values that a key of the archive has sealed, and is not declared \
                     as encrypted, so they cannot be sealed again under this vault's root key: declare the \
                     column ([[sources.encrypted_columns]]) and take another backup, or restore them \
                     unchanged with --accept-undecryptable, although they will not open"
                ),
                table: table.to_owned(),
                ..proto::RestoreRefusal::default()
            })
            .collect();
        self.add(refused);
    }

    /// Adds the refusals of a source, up to [`MOST`] in total.
    pub(super) fn add(&mut self, found: Vec<proto::RestoreRefusal>) {
        let room = MOST.saturating_sub(self.all.len());
        self.all.extend(found.into_iter().take(room));
    }

    pub(super) fn into_messages(self) -> Vec<proto::RestoreRefusal> {
        self.all
    }

    fn push(&mut self, reason: &str, message: &str) {
        self.all.push(proto::RestoreRefusal {
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..proto::RestoreRefusal::default()
        });
    }
}

fn unknown_signer(problem: &str, has_signer: bool) -> String {
    let remedy = if has_signer {
        "its key is not in the signer file either"
    } else {
        "if you know who made it, give their public key with --signer"
    };
    format!("no key that this vault knows has signed the archive: {problem}; {remedy}")
}
