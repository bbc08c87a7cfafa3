//! The exit code for a restore's state.

use anyhow::{Error, Result, bail};
use strongroom_api::backup::v1::{Restore, RestoreState};

use super::{plan_text, words};
use crate::commands::backup::with_reason;
use crate::error::{NotDone, UnknownSigner};
use crate::output::printable;

/// The refusal with its own exit code.
const UNKNOWN_SIGNER: &str = "UNKNOWN_SIGNER";

/// Success for a plan that can be applied.
///
/// # Errors
/// [`UnknownSigner`] if there is no other reason for the refusal.
pub(super) fn judge_plan(restore: &Restore) -> Result<()> {
    let refusals = restore.plan.as_ref().map(|plan| plan.refusals.as_slice()).unwrap_or_default();
    match refusals {
        // Both must agree: an answer that contradicts itself is not a success.
        [] if restore.state() == RestoreState::Planned => Ok(()),
        [] => bail!("the restore is {}, and the backup service gave no reason", named(restore)),
        all if all.iter().all(|one| one.reason == UNKNOWN_SIGNER) => {
            Err(Error::new(UnknownSigner::of_a_plan()).context("the restore is refused"))
        }
        [first, more @ ..] => {
            let more = if more.is_empty() { String::new() } else { format!("; and {} more", more.len()) };
            let sentence = format!("the restore is refused: {}{more}", plan_text::refusal(first));
            bail!(NotDone::new(sentence, &first.reason))
        }
    }
}

/// Success for a restore that was applied.
pub(super) fn judge_applied(restore: &Restore) -> Result<()> {
    match restore.state() {
        RestoreState::Applied => Ok(()),
        RestoreState::Failed => {
            let sentence = format!("the restore failed, and every row is as it was: {}", why(restore));
            bail!(NotDone::new(sentence, &restore.reason))
        }
        _ => bail!("the restore is {}, not applied", named(restore)),
    }
}

/// Success for a restore that was rolled back.
pub(super) fn judge_rolled_back(restore: &Restore) -> Result<()> {
    match restore.state() {
        RestoreState::RolledBack => Ok(()),
        RestoreState::Applied => {
            let sentence = format!("the restored rows are still there: {}", why(restore));
            bail!(NotDone::new(sentence, &restore.reason))
        }
        _ => bail!("the restore is {}, not rolled back", named(restore)),
    }
}

fn why(restore: &Restore) -> String {
    match with_reason(&restore.problem, &restore.reason) {
        said if said.is_empty() => "the backup service gave no reason".to_owned(),
        said => printable(&said).into_owned(),
    }
}

fn named(restore: &Restore) -> &'static str {
    match words::state(restore.state()) {
        "" => "in a state that this release does not know",
        known => known,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_api::backup::v1::{RestorePlan, RestoreRefusal};

    use super::*;

    fn plan(state: RestoreState, reasons: &[&str]) -> Restore {
        let refusal = |reason: &&str| RestoreRefusal {
            reason: (*reason).into(),
            message: "no\u{1b}.".into(),
            source: "gateway".into(),
            ..RestoreRefusal::default()
        };
        let refusals = reasons.iter().map(refusal).collect();
        let plan = Some(RestorePlan { refusals, ..RestorePlan::default() });
        Restore { state: state.into(), plan, ..Restore::default() }
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_none() {
        judge_plan(&plan(RestoreState::Planned, &[])).unwrap();
        for bad in
            [plan(RestoreState::Refused, &[]), plan(RestoreState::Planned, &["RULE"]), Restore::default()]
        {
            assert!(judge_plan(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_signer_counts_alone() {
        let said = |reasons: &[&str]| judge_plan(&plan(RestoreState::Refused, reasons)).unwrap_err();
        assert!(said(&[UNKNOWN_SIGNER]).is::<UnknownSigner>());
        let both = said(&["RULE", UNKNOWN_SIGNER]);
        assert!(!both.is::<UnknownSigner>());
        assert_eq!(both.to_string(), "the restore is refused: gateway: no\\u{1b} [RULE]; and 1 more");
    }

    #[test]
    fn only_the_wanted_end_is_done() {
        for state in (0..=8).map(|state| RestoreState::try_from(state).unwrap_or_default()) {
            let restore = Restore { state: state.into(), ..Restore::default() };
            assert_eq!(judge_applied(&restore).is_ok(), state == RestoreState::Applied, "{state:?}");
            assert_eq!(judge_rolled_back(&restore).is_ok(), state == RestoreState::RolledBack, "{state:?}");
        }
    }
}
