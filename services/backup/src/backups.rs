//! Stored backups: archives that the service stores in folders and buckets, and serves later.
//!
//! [`creation`] makes them, and [`upload`] writes them to the [`destinations`]; [`ending`] records the result in the
//! catalogue, also for a process that died ([`inheritance`]). [`catalogue`] answers queries and applies changes that
//! callers request, [`tending`] makes the destinations follow, and [`scan`] rebuilds the catalogue from the
//! [`sidecar`]s. [`download`] and [`rereading`] read them back.

pub(crate) mod catalogue;
mod creation;
pub(crate) mod destinations;
mod download;
mod ending;
mod inheritance;
mod overview;
mod pinning;
pub(crate) mod record;
mod rereading;
mod scan;
mod sidecar;
mod tending;
mod upload;

use std::sync::Arc;

use strongroom_runtime::{Clock, Metrics, Shutdown};
use tokio::sync::{Notify, watch};

use crate::assembly::{AssemblyContext, Lifetime};
use crate::membership::Membership;
use crate::metrics::KindMetrics;
use crate::operation::{Limits, Unfinished};
use crate::store::Store;
use crate::vault_client::VaultClient;
pub(crate) use catalogue::Catalogue;
pub(crate) use creation::{Creations, KIND as CREATION, Order, Run};
use destinations::Destinations;
pub(crate) use download::{DownloadRequest, Downloads, KIND as DOWNLOAD};
use ending::Ending;
pub(crate) use inheritance::Inheritance;
pub(crate) use overview::Overview;
use pinning::Pinning;
pub(crate) use rereading::Rereading;
pub(crate) use scan::Scans;
use tending::Tending;

/// Shared by all code for stored backups.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: VaultClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) destinations: Arc<Destinations>,
    /// Notified when there is something to tend.
    pub(crate) wake: Arc<Notify>,
    /// Notified when the vault was restored and may have lost the pins of backups.
    pub(crate) vault_restored: Arc<Notify>,
    pub(crate) shutdown: Shutdown,
}

/// The stored-backup services of one process. Clones share them.
#[derive(Clone)]
pub(crate) struct StoredBackups {
    base: Base,
    pub(crate) creations: Arc<Creations>,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) catalogue: Catalogue,
    pub(crate) rereading: Arc<Rereading>,
    pub(crate) scans: Arc<Scans>,
    pub(crate) overview: Overview,
}

impl StoredBackups {
    /// `delay`: how long a deleted backup can be undeleted, in microseconds.
    pub(crate) fn create(
        base: Base,
        (context, membership): (Arc<AssemblyContext>, Arc<Membership>),
        (creating, downloading): (((Limits, Lifetime), KindMetrics), (Limits, KindMetrics)),
        delay: i64,
        metrics: &Metrics,
    ) -> Self {
        let catalogue = Catalogue::new(base.clone(), delay);
        let destinations = Arc::clone(&base.destinations);
        let rereading = Rereading { catalogue: catalogue.clone(), destinations: Arc::clone(&destinations) };
        Self {
            creations: Arc::new(Creations::create(
                context,
                Arc::clone(&membership),
                (catalogue.clone(), base.clone()),
                creating,
            )),
            downloads: Arc::new(Downloads::create(
                catalogue.clone(),
                destinations,
                (base.vault.clone(), membership),
                downloading,
            )),
            catalogue,
            rereading: Arc::new(rereading),
            scans: Arc::new(Scans::new(base.clone())),
            overview: Overview::new(&base, metrics),
            base,
        }
    }

    /// The heir for operations of dead processes.
    pub(crate) fn inheritance(&self, unfinished: Arc<Unfinished>) -> Inheritance {
        Inheritance { ending: Ending { base: self.base.clone() }, unfinished }
    }

    /// Tends the stored backups until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let (done, are_pinned) = watch::channel(false);
        let pinning = Pinning { store: Arc::clone(&self.base.store), vault: self.base.vault.clone(), done };
        let tending = Tending::new(self.base.clone(), are_pinned);
        let pinned = pinning.keep(&self.base.vault_restored, shutdown);
        tokio::join!(pinned, tending.run(shutdown), self.overview.run(shutdown));
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        tokio::join!(self.creations.stop(), self.downloads.stop());
    }
}
