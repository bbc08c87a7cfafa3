//! Checks whether ciphertexts would open: verdicts for callers that store ciphertexts but cannot read them.

use std::sync::Arc;

use strongroom_crypto::{KeyRing, Kid, parse_kid};
use strongroom_runtime::Caller;

use super::batch::{self, Item, MAX_ITEMS};
use super::caller_keys::{CallerKeys, check_lengths, refusal};
use super::{Ciphertexts, Sealed};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::Outcome;
use crate::store::columns::sealed_column;
use crate::store::key_names::CREDENTIAL_KEY;

/// The vault's own column that is assumed for a value without one.
const FIRST_COLUMN: &str = "credentials.secret";

/// A value to be checked, possibly one of the vault's own.
pub(crate) struct Checked {
    pub(crate) sealed: Sealed,
    /// `table.column`, or empty if none was given; `None` for any other text.
    pub(crate) column: Option<String>,
}

impl Item for Checked {
    fn key_id(&self) -> &str {
        self.sealed.key_id()
    }

    fn bytes(&self) -> usize {
        self.sealed.bytes() + self.column.as_deref().map_or(0, str::len)
    }

    fn is_known_to(&self, ring: &KeyRing) -> bool {
        self.sealed.is_known_to(ring)
    }
}

/// Whether one value would open.
pub(crate) struct Verdict {
    /// The version that the value names, if any.
    pub(crate) kid: Option<Kid>,
    /// The reason why it would not open; `None` if it would.
    pub(crate) refused: Option<Error>,
}

/// Totals over one stream of checks.
#[derive(Default)]
pub(crate) struct CheckTotals {
    count: usize,
    failures: usize,
}

impl Ciphertexts {
    /// Verdicts on up to 1,000 values, in order, by `ring` if given, otherwise by the live ring. Plaintexts are wiped
    /// before this returns.
    pub(crate) async fn check(
        &self,
        caller: &Caller,
        ring: Option<&Arc<KeyRing>>,
        items: Vec<Checked>,
        totals: &mut CheckTotals,
    ) -> Result<Vec<Verdict>> {
        if items.len() > MAX_ITEMS {
            let problem = format!("has {} items; at most {MAX_ITEMS} are allowed", items.len());
            return Err(Error::Field { field: "items", problem });
        }
        let keys = match ring {
            Some(ring) => CallerKeys::new(Arc::clone(ring), caller.clone()),
            None => self.caller_keys(caller, &items).await?,
        };
        let (_, outcomes) = batch::run(keys, items, judge).await?;
        let verdicts = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
        totals.count += verdicts.len();
        totals.failures += verdicts.iter().filter(|verdict| verdict.refused.is_some()).count();
        Ok(verdicts)
    }

    /// Commits the event of a finished stream.
    pub(crate) async fn finish_check(
        &self,
        caller: &Caller,
        totals: &CheckTotals,
        outcome: Outcome,
    ) -> Result<()> {
        let event = Event::by(caller, self.clock.now_micros(), "crypto.checked", "")
            .outcome(outcome)
            .with("count", totals.count)
            .with("failures", totals.failures);
        self.uses.commit(event.finish(), None).await
    }
}

/// Never fails: the refusal of a value is its verdict.
fn judge(keys: &CallerKeys, checked: &Checked) -> Result<Verdict> {
    let malformed = || Error::Field { field: "column", problem: "must be a column as table.column".into() };
    let column = checked.column.as_deref().ok_or_else(malformed);
    let opened = column.and_then(|column| open(keys, &checked.sealed, column));
    let kid = parse_kid(&checked.sealed.ciphertext).ok();
    let refused = opened.err().map(|error| match (error, kid) {
        (Error::CiphertextInvalid, Some(kid)) if keys.ring.version(kid).is_none() => {
            Error::KeyVersionNotFound(kid.to_string())
        }
        (error, _) => error,
    });
    Ok(Verdict { kid, refused })
}

fn open(keys: &CallerKeys, sealed: &Sealed, column: &str) -> Result<()> {
    match sealed.key_id.as_str() {
        CREDENTIAL_KEY => open_own(keys, sealed, column),
        _ => keys.decrypt(sealed).map(drop),
    }
}

/// The vault's own columns: the additional data is the row's id.
fn open_own(keys: &CallerKeys, sealed: &Sealed, column: &str) -> Result<()> {
    check_lengths(sealed)?;
    let column = if column.is_empty() { FIRST_COLUMN } else { column };
    let known = sealed_column(CREDENTIAL_KEY, column);
    let known = known.ok_or_else(|| Error::Field {
        field: "column",
        problem: "names no column that this key seals".into(),
    })?;
    let row = std::str::from_utf8(&sealed.aad).map_err(|_| Error::CiphertextInvalid)?;
    let opened = keys.ring.open_value(known.purpose, &known.cell(row), &sealed.ciphertext);
    opened.map(drop).map_err(|error| refusal(&error))
}
