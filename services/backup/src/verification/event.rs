//! Metadata of a verification with a verdict, for the audit log.

use strongroom_api::vault::v1::AuditOutcome;

use super::findings::Findings;
use crate::operation::{Metadata, put};

/// The outcome and the findings.
pub(super) fn describe(findings: &Findings) -> (AuditOutcome, Metadata) {
    let outcome = if findings.is_ok() { AuditOutcome::Success } else { AuditOutcome::Failed };
    let verdict = findings.verdict();
    let mut metadata = Metadata::new();
    put(&mut metadata, "archive_id", verdict.archive_id.as_str());
    put(&mut metadata, "size_bytes", verdict.size_bytes);
    put(&mut metadata, "sha256", verdict.sha256.as_str());
    put(&mut metadata, "values", verdict.values);
    put(&mut metadata, "values_closed", findings.closed_values());
    put_levels(&mut metadata, findings);
    (outcome, metadata)
}

/// `level_framing`, `level_signature`, `level_content` and `level_values`, each with its outcome in lower case.
fn put_levels(metadata: &mut Metadata, findings: &Findings) {
    for level in &findings.verdict().levels {
        let outcome = level.outcome().as_str_name().trim_start_matches("VERIFY_OUTCOME_");
        let name = level.level().as_str_name().trim_start_matches("VERIFY_LEVEL_");
        put(metadata, &format!("level_{}", name.to_lowercase()), outcome.to_lowercase());
    }
}
