//! Warnings to read, besides the counts, before committing a restore of the vault.

use super::Terms;
use crate::keys::OpenedRing;
use crate::store::restore::record::Report;

pub(super) fn warnings(
    terms: &Terms,
    opened: &OpenedRing,
    adopted: Option<&str>,
    report: &Report,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(adopted) = adopted {
        warnings.push(format!(
            "this vault has no credentials and takes over the archive's deployment id {adopted}; with --as-copy \
             it keeps its own"
        ));
    }
    if !opened.is_of_current_root {
        warnings.push(
            "the archive was made under another root key: every secret is sealed again under this vault's own keys"
                .to_owned(),
        );
    }
    if report.stale_total > 0 {
        let tokens = report.stale_total;
        warnings.push(format!(
            "{tokens} tokens come back stale: each authenticates nobody until `strongroom token reissue` gives it a new secret"
        ));
    }
    let revived = terms.revive_ids.len();
    if revived > 0 {
        warnings.push(format!(
            "the credentials that --revive names ({revived}) come back as they are in the archive, whatever happened to them since"
        ));
    }
    warnings
}
