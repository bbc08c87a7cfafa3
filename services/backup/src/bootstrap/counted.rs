//! The metrics of each part.

use std::sync::Arc;

use strongroom_runtime::Metrics;
use strongroom_runtime::metrics::{Kind, Sample};

use crate::backups::{CREATION, DOWNLOAD};
use crate::incoming::Uploads;
use crate::metrics::{BackupMetrics, KindMetrics};
use crate::restore::{self, Waiting};
use crate::{drills, export, moving, reencryption, verification};

/// Metrics of each kind of operation.
pub(super) struct Counted {
    /// All kinds, as the status lists them.
    pub(super) kinds: Vec<KindMetrics>,
    pub(super) of_exports: KindMetrics,
    pub(super) others: [KindMetrics; 3],
    pub(super) of_restores: [KindMetrics; 3],
    pub(super) of_moves: [KindMetrics; 2],
    pub(super) of_reencryptions: KindMetrics,
    pub(super) of_drills: KindMetrics,
}

impl Counted {
    pub(super) fn of(counted: &BackupMetrics) -> Self {
        let of_exports = counted.export_kind(export::KIND.name);
        let others = [CREATION.name, DOWNLOAD.name, verification::KIND.name].map(|name| counted.kind(name));
        let of_restores = [restore::PLAN.name, restore::APPLY.name, restore::ROLLBACK.name];
        let of_restores = of_restores.map(|name| counted.kind(name));
        let of_moves = [moving::EXPORT.name, moving::IMPORT.name].map(|name| counted.kind(name));
        let of_reencryptions = counted.kind(reencryption::KIND.name);
        let of_drills = counted.kind(drills::KIND.name);
        let last = [of_reencryptions.clone(), of_drills.clone()];
        let kinds = [&[of_exports.clone()][..], &others, &of_restores, &of_moves, &last].concat();
        Self { kinds, of_exports, others, of_restores, of_moves, of_reencryptions, of_drills }
    }
}

pub(super) fn waiting(metrics: &Metrics) -> Arc<Waiting> {
    let waiting = Arc::<Waiting>::default();
    let (name, help) = (
        "strongroom_backup_restores_waiting",
        "Restores that cannot be brought to their end now, and are tried again.",
    );
    let counted = Arc::clone(&waiting);
    metrics.sampled(Kind::Gauge, name, help, &[], move || vec![Sample::plain(counted.count() as f64)]);
    waiting
}

pub(super) fn sample_staging(metrics: &Metrics, uploads: &Arc<Uploads>) {
    let (name, help) = (
        "strongroom_backup_staged_bytes",
        "Bytes of files that are staged in order to be verified or restored.",
    );
    let uploads = Arc::clone(uploads);
    metrics.sampled(Kind::Gauge, name, help, &[], move || vec![Sample::plain(uploads.staged_bytes() as f64)]);
}
