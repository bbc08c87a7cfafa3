//! Re-encrypts values of an application's database in place, under the primary versions of their keys.
//!
//! The vault opens and seals; this module finds values, sends them there and writes them back ([`walk`]), and repeats
//! that until no old value that can be opened is left ([`work`]). No progress is stored, because the values themselves
//! show it: another run continues where any earlier one ended, and two concurrent runs only do the same work twice.

pub(crate) mod error;
mod pace;
mod refused;
mod report;
mod walk;
mod work;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_api::backup::v1::ReencryptSourceResponse;
use strongroom_runtime::{Caller, Clock};

use crate::error::{Error, Result};
use crate::membership::Membership;
use crate::metrics::KindMetrics;
use crate::operation::{AuditRecord, Kind, Limits, Metadata, Operations, Replies, put};
use crate::sources::{Source, Sources, SqlSource};
use crate::vault_client::VaultClient;
use error::ReencryptError;
use work::Work;

/// The operation kind of re-encryptions.
pub(crate) static KIND: Kind = Kind {
    name: "source_reencrypt",
    started: Some("source.reencrypt_started"),
    ended: "source.reencrypted",
    keeps: true,
    hands_on: false,
    queue: 1,
    busy: |most| Error::Reencrypt(ReencryptError::Busy(most)),
    too_long: |seconds| Error::Reencrypt(ReencryptError::TooLong(seconds)),
    stalled: |seconds| Error::Reencrypt(ReencryptError::Stalled(seconds)),
};

/// Dependencies of re-encryptions.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sources: Arc<Sources>,
}

/// Re-encrypts; one per process. Clones share it.
#[derive(Clone)]
pub(crate) struct Reencryptions {
    base: Base,
    membership: Arc<Membership>,
    operations: Arc<Operations>,
    running: Arc<Running>,
}

/// The sources being re-encrypted.
#[derive(Default)]
struct Running(Mutex<HashSet<String>>);

/// The registration of one such source. Dropping it admits another re-encryption.
struct Place {
    running: Arc<Running>,
    source: String,
}

impl Reencryptions {
    /// `limits` and `metrics` are those of [`KIND`].
    pub(crate) fn create(
        base: Base,
        membership: Arc<Membership>,
        limits: Limits,
        metrics: KindMetrics,
    ) -> Self {
        let operations = Arc::new(Operations::create(&KIND, limits, metrics));
        Self { base, membership, operations, running: Arc::default() }
    }

    /// Begins to re-encrypt `source` for `caller`, at most `rows_per_second` values a second; 0 means no limit.
    ///
    /// # Errors
    /// Refusals before anything is changed: [`ReencryptError`], [`Error::Field`], and the database's errors.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        source: &str,
        rows_per_second: i32,
    ) -> Result<Replies<ReencryptSourceResponse>> {
        let rate = u32::try_from(rows_per_second)
            .map_err(|_| Error::field("rows_per_second", "must not be negative"))?;
        let at = self.place_of(source)?;
        let permit = self.operations.admit()?;
        let place = self.enter(source)?;
        let member = self.membership.current();
        let work = Work::prepare(&self.base, at, rate).await?;
        let (vault, id) = (self.base.vault.clone(), uuid::Uuid::now_v7().to_string());
        let record = AuditRecord::create(vault, &KIND, caller, &id, source)
            .with(describe(source))
            .with_at_start("rows_per_second", rate)
            .with_at_start("instance", member.id.as_str());
        let work = |outlet, _stop| async move { member.until_lost(work.run(outlet)).await };
        Ok(self.operations.start((permit, place), record, work, |_| async {}))
    }

    /// The source's index, if its values can be re-encrypted.
    fn place_of(&self, name: &str) -> Result<usize> {
        if name.is_empty() {
            return Err(Error::field("source", "must not be empty"));
        }
        let at = self.base.sources.all().iter().position(|source| source.name() == name);
        let at = at.ok_or_else(|| ReencryptError::UnknownSource(name.chars().take(100).collect()))?;
        database(&self.base.sources, at)?;
        Ok(at)
    }

    fn enter(&self, source: &str) -> Result<Place> {
        let mut running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(source.to_owned()) {
            return Err(ReencryptError::Running(source.to_owned()).into());
        }
        Ok(Place { running: Arc::clone(&self.running), source: source.to_owned() })
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.source);
    }
}

/// The database of the source at this index.
///
/// # Errors
/// [`ReencryptError::NoDatabase`], [`ReencryptError::NoColumns`], [`ReencryptError::NoRestoreUrl`].
fn database(sources: &Sources, at: usize) -> Result<&SqlSource> {
    let source: &Source = &sources.all()[at];
    let no_database =
        || ReencryptError::NoDatabase { source_name: source.name().to_owned(), kind: source.kind() };
    let database = source.database().ok_or_else(no_database)?;
    let name = || source.name().to_owned();
    if !database.has_encrypted_columns() {
        return Err(ReencryptError::NoColumns(name()).into());
    }
    if !database.is_restorable() {
        return Err(ReencryptError::NoRestoreUrl(name()).into());
    }
    Ok(database)
}

/// Metadata of all events.
fn describe(source: &str) -> Metadata {
    let mut metadata = Metadata::new();
    put(&mut metadata, "source", source);
    metadata
}
