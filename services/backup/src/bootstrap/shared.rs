//! The dependencies that parts share.

use std::sync::Arc;

use strongroom_archive::Compression;
use strongroom_runtime::{Clock, Metrics, Shutdown};

use super::counted::sample_staging;
use super::limits::{REENCRYPTION_SECONDS, limits};
use crate::assembly::{AssemblyContext, OwnRecords};
use crate::backups::destinations::Destinations;
use crate::backups::{Base, StoredBackups};
use crate::config::{BackupConfig, Config};
use crate::drills::{self, ScratchPlaces};
use crate::error::{Error, Result};
use crate::incoming::{self, MemoryLimits, UploadLimits, Uploads};
use crate::membership::Membership;
use crate::metrics::{BackupMetrics, KindMetrics};
use crate::moving;
use crate::operation::Limits;
use crate::reencryption::{self, Reencryptions};
use crate::restore::{self, ArchiveUploads, Archives, Restores, Waiting};
use crate::seal::SealPolicy;
use crate::sources::Sources;
use crate::store::Store;
use crate::vault_client::VaultClient;
use crate::verification::Verifier;

/// The dependencies that all code for stored backups shares.
pub(super) fn base(
    config: &Config,
    store: Arc<dyn Store>,
    (vault, clock): (&VaultClient, &Arc<dyn Clock>),
    shutdown: &Shutdown,
) -> Result<Base> {
    Ok(Base {
        store,
        vault: vault.clone(),
        clock: Arc::clone(clock),
        destinations: Arc::new(Destinations::create(&config.destinations)?),
        wake: Arc::default(),
        vault_restored: Arc::default(),
        shutdown: shutdown.clone(),
    })
}

pub(super) fn context(
    config: &Config,
    sources: &Arc<Sources>,
    vault: &VaultClient,
    clock: &Arc<dyn Clock>,
    counted: &BackupMetrics,
    own: Arc<dyn OwnRecords>,
) -> Result<AssemblyContext> {
    let policy = SealPolicy::create(&config.seal)?;
    policy.warn();
    let level = config.backup.compression_level;
    let compression = level.map_or(Ok(Compression::default()), Compression::level);
    Ok(AssemblyContext {
        app: config.app.clone(),
        policy,
        sources: Arc::clone(sources),
        vault: vault.clone(),
        compression: compression.map_err(|error| Error::Config(format!("compression_level: {error}")))?,
        clock: Arc::clone(clock),
        metrics: counted.exports(),
        own,
    })
}

/// Dependencies that restores share with other parts.
pub(super) struct Restoring {
    pub(super) base: Base,
    pub(super) verifier: Verifier,
    pub(super) uploads: Arc<Uploads>,
    pub(super) sources: Arc<Sources>,
    pub(super) host: String,
    pub(super) app_name: String,
    pub(super) waiting: Arc<Waiting>,
}

impl Restoring {
    pub(super) fn create(
        self,
        config: &BackupConfig,
        stored: &StoredBackups,
        (membership, limits): (Arc<Membership>, Limits),
        metrics: [KindMetrics; 3],
    ) -> Restores {
        let Self { base, verifier, uploads: admission, sources, host, app_name, waiting } = self;
        let Base { store, vault, clock, shutdown, vault_restored, .. } = base;
        let stall = limits.stall;
        let uploads = ArchiveUploads {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            admission: Arc::clone(&admission),
            folder: config.staging_folder(),
            host,
            stall,
        };
        let archives = Archives {
            rereading: Arc::clone(&stored.rereading),
            uploads: Arc::new(uploads),
            admission,
            vault: vault.clone(),
            memory: verifier.cost().memory,
            stall,
        };
        let archives = Arc::new(archives);
        let base = restore::Base {
            store,
            vault,
            clock,
            sources,
            archives,
            verifier,
            shutdown,
            app_name,
            waiting,
            vault_restored,
        };
        let makers = (Arc::clone(&stored.creations), stored.catalogue.clone());
        Restores::create(base, membership, makers, limits, metrics)
    }
}

/// Dependencies that the export and import of tables share with other parts.
pub(super) fn moving(
    config: &Config,
    base: &Base,
    (sources, uploads): (&Arc<Sources>, &Arc<Uploads>),
    memory: MemoryLimits,
) -> moving::Base {
    let Base { store, vault, clock, shutdown, .. } = base.clone();
    let (sources, uploads) = (Arc::clone(sources), Arc::clone(uploads));
    moving::Base { app: config.app.clone(), store, vault, clock, sources, uploads, memory, shutdown }
}

/// Dependencies that drills share with restores.
pub(super) fn drilling(config: &Config, restores: &Restores, stored: &StoredBackups) -> Result<drills::Base> {
    let restore::Base { store, vault, clock, sources, archives, verifier, .. } = restores.base().clone();
    let (catalogue, places) = (stored.catalogue.clone(), ScratchPlaces::create(&config.drill)?);
    Ok(drills::Base { store, vault, clock, sources, catalogue, archives, verifier, places })
}

pub(super) fn reencryptions(
    config: &BackupConfig,
    (vault, clock, sources): (&VaultClient, &Arc<dyn Clock>, &Arc<Sources>),
    membership: &Arc<Membership>,
    metrics: KindMetrics,
) -> Reencryptions {
    let (vault, clock, sources) = (vault.clone(), Arc::clone(clock), Arc::clone(sources));
    let base = reencryption::Base { vault, clock, sources };
    let limits = limits(config, REENCRYPTION_SECONDS, config.concurrent_restores).0;
    Reencryptions::create(base, Arc::clone(membership), limits, metrics)
}

/// Admission and limits of everything that is staged.
pub(super) fn uploads(config: &BackupConfig, metrics: &Metrics) -> Arc<Uploads> {
    let staging_dir = config.staging_folder();
    incoming::warn(&staging_dir);
    let (bytes, staged_bytes) = (config.upload_limit_bytes, config.staging_limit_bytes);
    let uploads = Arc::new(Uploads::create(UploadLimits { bytes, staged_bytes, staging_dir }));
    sample_staging(metrics, &uploads);
    uploads
}
