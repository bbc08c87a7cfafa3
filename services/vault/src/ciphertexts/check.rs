//! Would a ciphertext open? Verdicts for whoever keeps ciphertexts without being allowed to read them.

use strongroom_crypto::{Kid, Purpose, parse_kid};
use strongroom_runtime::Caller;

use super::Sealed;
use super::batch::{self, MAX_ITEMS};
use super::keys::{CallerKeys, check_lengths, refusal};
use crate::credentials::secret_place;
use crate::error::{Error, Result};
use crate::keys::CREDENTIAL_KEY;
use crate::vault::Vault;

/// What is known of one value.
pub(crate) struct Verdict {
    /// The version that it names, if it names one.
    pub(crate) kid: Option<Kid>,
    /// Why it would not open; `None` when it would.
    pub(crate) refused: Option<Error>,
}

/// What one stream of checks has seen.
#[derive(Default)]
pub(crate) struct CheckTotals {
    count: usize,
    failures: usize,
}

impl Vault {
    /// Verdicts on up to 1,000 values, in their order. Plaintexts are wiped before this returns.
    pub(crate) async fn check(
        &self,
        caller: &Caller,
        items: Vec<Sealed>,
        totals: &mut CheckTotals,
    ) -> Result<Vec<Verdict>> {
        if items.len() > MAX_ITEMS {
            let problem = format!("has {} items; at most {MAX_ITEMS} are allowed", items.len());
            return Err(Error::Field { field: "items", problem });
        }
        let (_, outcomes) = batch::run(self.caller_keys(caller, &items).await?, items, judge).await?;
        let verdicts = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
        totals.count += verdicts.len();
        totals.failures += verdicts.iter().filter(|verdict| verdict.refused.is_some()).count();
        Ok(verdicts)
    }

    /// Commits the event of a stream that has ended.
    pub(crate) async fn finish_check(
        &self,
        caller: &Caller,
        totals: &CheckTotals,
        outcome: &str,
    ) -> Result<()> {
        let event = self
            .event(caller, "crypto.checked", "")
            .outcome(outcome)
            .with("count", totals.count)
            .with("failures", totals.failures);
        self.log.commit(event.finish(), None).await
    }
}

/// Never fails: what is wrong with a value is its verdict.
fn judge(keys: &CallerKeys, sealed: &Sealed) -> Result<Verdict> {
    let opened = match sealed.key_id.as_str() {
        CREDENTIAL_KEY => open_credential(keys, sealed),
        _ => keys.decrypt(sealed).map(drop),
    };
    Ok(Verdict { kid: parse_kid(&sealed.ciphertext).ok(), refused: opened.err() })
}

/// The vault's own column: the additional data is the row's id.
fn open_credential(keys: &CallerKeys, sealed: &Sealed) -> Result<()> {
    check_lengths(sealed)?;
    let row = std::str::from_utf8(&sealed.aad).map_err(|_| Error::CiphertextInvalid)?;
    let opened = keys.ring.open_value(Purpose::Credential, &secret_place(row), &sealed.ciphertext);
    opened.map(drop).map_err(|error| refusal(&error))
}
