//! A run: walks through all columns once, and again through those with remaining values; then counts, and reports to the
//! vault and the client.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use strongroom_api::backup::v1::ReencryptSourceResponse;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::{AadTemplate, EncryptedColumn};
use strongroom_runtime::telemetry::{stage, stage_of};
use strongroom_tables::reencrypt::Rewriter;
use tracing::Instrument as _;

use super::error::ReencryptError;
use super::pace::Pace;
use super::refused::Refused;
use super::report;
use super::walk::Column;
use super::{Base, database};
use crate::error::Result;
use crate::metrics::Size;
use crate::operation::{Ended, Outlet, PROGRESS_INTERVAL};
use crate::sources::{ColumnCount, SqlSource};
use crate::vault_client::KeyVersions;

/// Maximum number of walks: rows that change during a walk, or that are locked, are tried again.
const WALKS: usize = 10;
/// Pause after a walk without any change: locked rows need time to be released.
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum time without a message to the client while values are counted.
const QUIET: Duration = Duration::from_secs(10);

/// A run before it begins.
pub(super) struct Work {
    base: Base,
    /// The index of its source.
    at: usize,
    rewriter: Rewriter,
    columns: Vec<Column>,
    pace: Pace,
}

/// Number of values by key version, for each column.
pub(super) struct Census {
    /// Start of the counting, in microseconds.
    time: i64,
    counted: Vec<ColumnCount>,
    versions: KeyVersions,
}

impl Work {
    /// Checks whether it can be done, and changes nothing.
    ///
    /// # Errors
    /// [`ReencryptError`], and errors of the vault and the database.
    pub(super) async fn prepare(base: &Base, at: usize, rate: u32) -> Result<Self> {
        let source = database(&base.sources, at)?;
        let versions = base.vault.caller_key_versions().await?;
        let (rewriter, declared) = source.open_rewriter().await?;
        let name = base.sources.all()[at].name();
        let columns = declared.into_iter().enumerate();
        let columns = columns.map(|(position, declared)| column(name, position, declared, &versions));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Self { base: base.clone(), at, rewriter, columns, pace: Pace::new(rate) })
    }

    /// Runs the re-encryption.
    ///
    /// # Errors
    /// Errors of the vault and the database. Values already written stay.
    pub(super) async fn run(
        mut self,
        outlet: Outlet<ReencryptSourceResponse>,
    ) -> Result<Ended<ReencryptSourceResponse>> {
        let mut census = self.count(&outlet).await?;
        for walk in 0..WALKS {
            let left: Vec<u64> = self.columns.iter().map(|column| census.left_to_do(column)).collect();
            // The census omits unsealed values; only the first walk reports them.
            if walk > 0 && left.iter().all(|left| *left == 0) {
                break;
            }
            let done = self.done();
            for at in 0..self.columns.len() {
                if walk == 0 || left[at] > 0 {
                    let behind: u64 = left.iter().skip(at).sum();
                    self.walk(at, behind, &outlet).await?;
                }
            }
            if walk > 0 && self.done() == done {
                tokio::time::sleep(PAUSE).await;
            }
            census = self.count(&outlet).await?;
            self.follow(&census.versions);
        }
        census.report(&self.base).instrument(stage("report census")).await?;
        let done = self.done();
        let Self { rewriter, columns, .. } = self;
        rewriter.close().await;
        let columns: Vec<_> = columns.into_iter().map(|column| report::column(column, &census)).collect();
        let is_complete = columns.iter().all(report::is_complete);
        Ok(Ended {
            outcome: if is_complete { AuditOutcome::Success } else { AuditOutcome::Failed },
            metadata: report::metadata(done, &columns),
            size: Size { bytes: 0, rows: signed(done) },
            replies: vec![report::last(done, columns)],
        })
    }

    async fn walk(&mut self, at: usize, left: u64, outlet: &Outlet<ReencryptSourceResponse>) -> Result<()> {
        let others: u64 =
            self.columns.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, one)| one.done).sum();
        let Self { rewriter, columns, pace, base, .. } = self;
        let column = &mut columns[at];
        let (before, span) = (column.done, stage_of("re-encrypt column", &column.name()));
        let mut told = Instant::now();
        outlet.offer(report::progress(column, others + before, left));
        let said = |column: &Column| {
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = Instant::now();
                let seen = column.done - before + column.refused.counted;
                outlet.offer(report::progress(column, others + column.done, left.saturating_sub(seen)));
            }
        };
        column.walk((rewriter, &base.vault), pace, said).instrument(span).await
    }

    /// A large table takes a while; meanwhile the client gets keep-alive messages.
    async fn count(&self, outlet: &Outlet<ReencryptSourceResponse>) -> Result<Census> {
        let source: &SqlSource = database(&self.base.sources, self.at)?;
        let versions = self.base.vault.caller_key_versions().await?;
        let time = self.base.clock.now_micros();
        let mut counting = Box::pin(source.count_encrypted().instrument(stage("count values")));
        loop {
            match tokio::time::timeout(QUIET, &mut counting).await {
                Ok(counted) => return Ok(Census { time, counted: counted?, versions }),
                Err(_) => outlet.offer(report::sign_of_life(self.done())),
            }
        }
    }

    /// A key may have been rotated meanwhile.
    fn follow(&mut self, versions: &KeyVersions) {
        for column in &mut self.columns {
            if let Some(kid) = versions.primary(&column.declared.key) {
                kid.clone_into(&mut column.kid);
            }
        }
    }

    fn done(&self) -> u64 {
        self.columns.iter().map(|column| column.done).sum()
    }
}

fn column(source: &str, at: usize, declared: EncryptedColumn, versions: &KeyVersions) -> Result<Column> {
    let no_key = || ReencryptError::NoKey {
        key: declared.key.clone(),
        column: format!("{}.{}", declared.table, declared.column),
        source_name: source.to_owned(),
    };
    let kid = versions.primary(&declared.key).ok_or_else(no_key)?.to_owned();
    let aad = AadTemplate::parse(&declared.aad)?;
    Ok(Column { declared, at, aad, kid, done: 0, refused: Refused::default() })
}

impl Census {
    /// Values of versions other than the primary one, each with its version id as stored.
    pub(super) fn left<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = (&'a str, u64)> {
        let primary = self.versions.primary(&column.declared.key).unwrap_or(&column.kid);
        let counted = self.counted.iter().filter(|counted| counted.column == column.declared);
        let kids = counted.flat_map(|counted| &counted.kids).filter(move |(kid, _)| kid != primary);
        kids.map(|(kid, values)| (kid.as_str(), *values))
    }

    /// The number of those values that may still open.
    fn left_to_do(&self, column: &Column) -> u64 {
        let left: u64 = self.left(column).map(|(_, values)| values).sum();
        left.saturating_sub(column.refused.counted)
    }

    /// Reports to the vault, so that versions that are no longer needed can be retired.
    async fn report(&self, base: &Base) -> Result<()> {
        for ColumnCount { column, source, kids } in &self.counted {
            let own = kids.iter().filter(|(kid, _)| self.versions.has(&column.key, kid));
            let values: HashMap<String, i64> =
                own.map(|(kid, values)| (kid.clone(), signed(*values))).collect();
            let name = format!("{}.{}", column.table, column.column);
            base.vault.report_census(&column.key, source, &name, values, self.time).await?;
        }
        Ok(())
    }
}

pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
