//! Levels of a verification for people.

use strongroom_api::backup::v1::{LevelVerdict, VerifyLevel, VerifyOutcome};

use crate::output::Table;

pub(super) fn table<'a>(levels: impl IntoIterator<Item = &'a LevelVerdict>) -> Table {
    let mut table = Table::new(&["LEVEL", "OUTCOME", "PROBLEM"]);
    for level in levels {
        table.row([level_name(level.level()), outcome_name(level.outcome()), &level.problem]);
    }
    table
}

fn level_name(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::Unspecified => "",
        VerifyLevel::Framing => "framing",
        VerifyLevel::Signature => "signature",
        VerifyLevel::Content => "content",
        VerifyLevel::Values => "values",
    }
}

fn outcome_name(outcome: VerifyOutcome) -> &'static str {
    match outcome {
        VerifyOutcome::Unspecified => "",
        VerifyOutcome::Passed => "passed",
        VerifyOutcome::Failed => "failed",
        VerifyOutcome::UnknownSigner => "unknown signer",
        VerifyOutcome::Skipped => "skipped",
    }
}
