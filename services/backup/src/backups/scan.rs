//! Rebuilds the catalogue from the sidecars in the destinations.
//!
//! A scan adds missing entries to the catalogue, and tightens existing ones: a hold in a sidecar counts, a missing one
//! does not. An edited sidecar is refused; one of an unknown signer is listed and has no effect.

mod adoption;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use strongroom_api::backup::v1::scan_backups_response::DestinationScan;
use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Caller;
use tokio::sync::Mutex;

use super::Base;
use super::destinations::{Destination, StorageError};
use super::sidecar::{Judged, MAX_BYTES, Record, SUFFIX, judge};
use crate::error::{Error, Result};
use crate::operation::{Metadata, put};
use crate::store::BackupFilter;
use crate::vault_client::SigningKey;
use adoption::{Adopted, Adoption};

/// Number of sidecars that are read concurrently.
const AT_ONCE: usize = 8;
/// Maximum number of refused sidecars that are named.
const MOST_REFUSED: usize = 100;
/// Maximum number of sidecars read in one destination. Nobody has as many backups, but an attacker with write access to
/// a bucket may put more there.
const MOST_SIDECARS: usize = 1_000_000;
/// Maximum number of listed backups of unknown signers: an attacker with write access to a destination may put any
/// number there.
const MOST_UNVERIFIED: i64 = 1000;
/// Time during which a backup that a scan finds deleted is not purged, in microseconds: a day, in which the other
/// destinations can be scanned.
const UNPURGED: i64 = 24 * 3600 * 1_000_000;
/// Number of backups in one page of the catalogue.
const PAGE: i64 = 500;

/// Scans destinations, one scan at a time.
pub(crate) struct Scans {
    base: Base,
    running: Mutex<()>,
}

impl Scans {
    pub(super) fn new(base: Base) -> Self {
        Self { base, running: Mutex::new(()) }
    }

    /// Scans the destinations with these names; all if `names` is empty.
    ///
    /// # Errors
    /// [`Error::ScanBusy`], [`Error::NoDestination`], [`Error::Field`], and errors of the vault and the store. A
    /// destination that cannot be read is not an error, but the problem in its answer.
    pub(crate) async fn scan(&self, caller: &Caller, names: &[String]) -> Result<Vec<DestinationScan>> {
        let destinations = self.base.destinations.choose(names)?;
        let Ok(_running) = self.running.try_lock() else { return Err(Error::ScanBusy) };
        let keys = self.base.vault.signing_keys().await?;
        let mut scans = Vec::with_capacity(destinations.len());
        let mut failed = None;
        for destination in destinations {
            match self.scan_destination(&destination, &keys).await {
                Ok(scan) => scans.push(scan),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // Record also a scan that ended early: its findings have taken effect.
        self.record(caller, &scans, failed.as_ref()).await?;
        failed.map_or(Ok(scans), Err)
    }

    async fn scan_destination(
        &self,
        destination: &Arc<Destination>,
        keys: &[SigningKey],
    ) -> Result<DestinationScan> {
        let mut scan = DestinationScan { destination: destination.name.clone(), ..Default::default() };
        let mut seen = HashSet::new();
        let adoption = Adoption {
            store: self.base.store.as_ref(),
            vault: &self.base.vault,
            destination,
            not_before: self.base.clock.now_micros().saturating_add(UNPURGED),
        };
        let sidecars = destination.sidecars().take(MOST_SIDECARS);
        let read = |found: Result<String, StorageError>| async move {
            let key = found?;
            let read = examine(destination, &key, keys).await;
            Ok::<_, StorageError>((key, read))
        };
        let mut found = sidecars.map(read).buffer_unordered(AT_ONCE);
        while let Some(next) = found.next().await {
            match next {
                Ok((key, examined)) => count(&mut scan, &mut seen, &adoption, &key, examined).await?,
                Err(error) => scan.problem = error.to_string(),
            }
        }
        if scan.problem.is_empty() {
            match self.mark_missing(destination, &seen).await {
                Ok(missing) => scan.missing = missing,
                Err(Error::Storage(error)) => scan.problem = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        Ok(scan)
    }

    /// Marks copies that are in the catalogue but not in the destination.
    async fn mark_missing(&self, destination: &Destination, seen: &HashSet<String>) -> Result<i64> {
        let (mut missing, mut filter) = (0, BackupFilter::default());
        loop {
            let page = self.base.store.backups(&filter, PAGE).await?;
            let Some(last) = page.last() else { return Ok(missing) };
            filter.before = Some((last.row.create_time, last.row.id.clone()));
            for backup in page {
                if !seen.contains(&backup.row.id) {
                    missing +=
                        i64::from(adoption::unseen(self.base.store.as_ref(), destination, &backup).await?);
                }
            }
        }
    }

    async fn record(&self, caller: &Caller, scans: &[DestinationScan], error: Option<&Error>) -> Result<()> {
        let mut metadata = Metadata::new();
        for scan in scans {
            let DestinationScan { destination, found, added, unverified, missing, refused_total, .. } = scan;
            let said = format!(
                "{found} found, {added} added, {unverified} unverified, {missing} missing, {refused_total} refused"
            );
            put(&mut metadata, destination, said);
        }
        if let Some(error) = error {
            put(&mut metadata, "reason", error.reason());
        }
        let failed = error.is_some() || scans.iter().any(|scan| !scan.problem.is_empty());
        let outcome = if failed { AuditOutcome::Failed } else { AuditOutcome::Success };
        let event = ServiceEvent {
            event: "backup.scanned".to_owned(),
            target: "catalogue".to_owned(),
            metadata,
            trace_id: caller.trace_id.clone(),
            outcome: outcome.into(),
            operation_id: uuid::Uuid::now_v7().to_string(),
        };
        self.base.vault.record_patiently(&caller.principal.delegation, event).await
    }
}

/// The result of examining one sidecar.
enum Examined {
    Complete(Box<Record>, String),
    UnknownSigner(Box<Record>),
    Refused(String),
    /// It was deleted meanwhile.
    Gone,
}

async fn examine(
    destination: &Destination,
    key: &str,
    keys: &[SigningKey],
) -> Result<Examined, StorageError> {
    let Some(bytes) = destination.read_small(key, MAX_BYTES).await? else { return Ok(Examined::Gone) };
    let copy = key.strip_suffix(SUFFIX).unwrap_or(key);
    let record = match judge(&bytes, copy, keys) {
        Judged::Refused(problem) => return Ok(Examined::Refused(problem)),
        Judged::UnknownSigner(record) => return Ok(Examined::UnknownSigner(record)),
        Judged::Good(record) => record,
    };
    let expected = u64::try_from(record.content.size_bytes).unwrap_or(0);
    match destination.head(copy).await? {
        Some(object) if object.size == expected => Ok(Examined::Complete(record, object.etag)),
        Some(object) => {
            Ok(Examined::Refused(format!("its object has {} bytes instead of {expected}", object.size)))
        }
        None => Ok(Examined::Refused(
            "its object does not exist; delete the sidecar too, unless you can bring the object back"
                .to_owned(),
        )),
    }
}

async fn count(
    scan: &mut DestinationScan,
    seen: &mut HashSet<String>,
    adoption: &Adoption<'_>,
    key: &str,
    examined: Result<Examined, StorageError>,
) -> Result<()> {
    let adopted = match examined {
        Ok(Examined::Complete(record, etag)) => {
            scan.found += 1;
            seen.insert(record.archive_id.clone());
            adoption.complete(&record, &etag).await?
        }
        Ok(Examined::UnknownSigner(_)) if scan.unverified >= MOST_UNVERIFIED => {
            refuse(scan, key, "this vault does not know its signer, nor those of many others here");
            Adopted::Known
        }
        Ok(Examined::UnknownSigner(record)) => match adoption.unverified(&record).await? {
            Some(adopted) => {
                scan.unverified += 1;
                seen.insert(record.archive_id.clone());
                adopted
            }
            None => {
                refuse(
                    scan,
                    key,
                    "this vault does not know its signer, and its backup is already in the catalogue",
                );
                Adopted::Known
            }
        },
        Ok(Examined::Refused(problem)) => {
            refuse(scan, key, &problem);
            Adopted::Known
        }
        Ok(Examined::Gone) => Adopted::Known,
        Err(error) => {
            refuse(scan, key, &error.to_string());
            Adopted::Known
        }
    };
    scan.added += i64::from(adopted == Adopted::New);
    Ok(())
}

fn refuse(scan: &mut DestinationScan, key: &str, problem: &str) {
    scan.refused_total += 1;
    if scan.refused.len() < MOST_REFUSED {
        scan.refused.push(format!("{key}: {problem}"));
    }
}
