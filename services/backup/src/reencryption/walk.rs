//! One walk through a column, page by page: each page's values go to the vault and back.

use strongroom_api::limits::{AAD_BYTES, CIPHERTEXT_BYTES};
use strongroom_api::vault::v1::{BatchRewrapResult, RewrapRequest};
use strongroom_archive::{AadTemplate, EncryptedColumn, FilledAad};
use strongroom_tables::reencrypt::{Change, FoundValue, Page, Rewriter, Walk};

use super::pace::Pace;
use super::refused::Refused;
use crate::error::Result;
use crate::vault_client::VaultClient;
use strongroom_runtime::failpoint;

/// Reasons for results that do not need the vault.
const INVALID: &str = "CIPHERTEXT_INVALID";
const NO_AAD: &str = "NO_AAD";

/// A column and its results.
pub(super) struct Column {
    pub(super) declared: EncryptedColumn,
    /// Its position in the rewriter.
    pub(super) at: usize,
    pub(super) aad: AadTemplate,
    /// The primary version of its key.
    pub(super) kid: String,
    /// Number of replaced values.
    pub(super) done: u64,
    /// Refused values of the last walk.
    pub(super) refused: Refused,
}

/// A question to the vault, and the value that its answer replaces.
struct Asked {
    value: FoundValue,
    old: String,
}

impl Column {
    /// Its name for operators.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.declared.table, self.declared.column)
    }

    /// Walks once from the first row to the last. `said` is called after every page.
    ///
    /// # Errors
    /// Errors of the database and the vault.
    pub(super) async fn walk(
        &mut self,
        (rewriter, vault): (&mut Rewriter, &VaultClient),
        pace: &mut Pace,
        mut said: impl FnMut(&Self),
    ) -> Result<()> {
        self.refused = Refused::default();
        let (mut after, mut sealed) = (None, None::<Vec<Change>>);
        loop {
            let kid = self.kid.clone();
            let walk =
                Walk { after: after.as_ref(), rows: pace.rows(), kid: &kid, longest: CIPHERTEXT_BYTES };
            let Page { values, rows, is_cut, end, .. } = rewriter.page(self.at, walk).await?;
            pace.learn(rows, is_cut);
            let (found, at) = (values.len(), self.at);
            // The vault seals this page while the database writes the previous one.
            let replacing = async {
                match &sealed {
                    Some(changes) => rewriter.replace(at, changes).await.map(Some),
                    None => Ok(None),
                }
            };
            let (next, replaced) = tokio::join!(self.seal_anew(vault, values), replacing);
            if let Some(replaced) = replaced? {
                self.replaced(replaced, &mut said);
            }
            sealed = Some(next?);
            pace.wait(found).await;
            match end {
                Some(end) => after = Some(end),
                None => break,
            }
        }
        let replaced = rewriter.replace(self.at, &sealed.unwrap_or_default()).await?;
        self.replaced(replaced, &mut said);
        Ok(())
    }

    fn replaced(&mut self, values: u64, said: &mut impl FnMut(&Self)) {
        self.done += values;
        failpoint::reached("reencrypt.batch");
        said(self);
    }

    async fn seal_anew(&mut self, vault: &VaultClient, values: Vec<FoundValue>) -> Result<Vec<Change>> {
        let (mut asked, mut items) = (Vec::new(), Vec::new());
        for value in values {
            if let Some((value, item)) = self.question(value) {
                asked.push(value);
                items.push(item);
            }
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let results = vault.rewrap(items).await?;
        Ok(asked.into_iter().zip(results).filter_map(|(asked, result)| self.change(asked, result)).collect())
    }

    /// `None` for a value that is known not to open.
    fn question(&mut self, mut value: FoundValue) -> Option<(Asked, RewrapRequest)> {
        let declared = &self.declared;
        let needed = value.needed.iter().map(|needed| Some(&**needed));
        let aad = self.aad.fill(&declared.table, &declared.column, AAD_BYTES, needed);
        let text = value.text.take().unwrap_or_default();
        let (FilledAad::Text(filled), false) = (&aad, text.is_empty()) else {
            let reason = if aad == FilledAad::Null { NO_AAD } else { INVALID };
            self.refused.add(&value, &text, reason);
            return None;
        };
        let item = RewrapRequest {
            key_id: declared.key.clone(),
            ciphertext: text.clone(),
            aad: filled.clone().into_bytes().into(),
        };
        Some((Asked { value, old: text }, item))
    }

    /// `None` for a value that does not open, and for one that needs no change.
    fn change(&mut self, Asked { value, old }: Asked, result: BatchRewrapResult) -> Option<Change> {
        let status = result.status.unwrap_or_default();
        if status.code != 0 {
            self.refused.add(&value, &old, &status.reason);
            return None;
        }
        (result.ciphertext != old).then_some(Change { key: value.key, old, new: result.ciphertext })
    }
}
