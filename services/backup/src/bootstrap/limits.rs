//! Converts the configured durations and numbers of operations into the types of the modules that use them.

use std::time::Duration;

use crate::assembly::Lifetime;
use crate::backups::{CREATION, DOWNLOAD};
use crate::config::BackupConfig;
use crate::incoming::MemoryLimits;
use crate::operation::{self, Limits};
use crate::verification::Cost;
use crate::{export, moving, reencryption, restore};

const HOUR: i64 = 3600 * 1_000_000;

/// Maximum duration of a re-encryption; another one continues with the rest.
pub(super) const REENCRYPTION_SECONDS: u64 = 12 * 3600;

/// Maximum duration of a download, which can be resumed.
const DOWNLOAD_SECONDS: u64 = 24 * 3600;

pub(super) fn limits_of_exports(config: &BackupConfig) -> (Limits, Lifetime) {
    let (limits, making) = limits(config, config.export_limit_seconds, config.concurrent_exports);
    (limits, Lifetime { making, pins: Some(i64::from(config.pin_days) * 24 * HOUR) })
}

/// While a backup is being made, its pins expire a day after its deadline; once it is stored, it is pinned permanently.
pub(super) fn limits_of_creations(config: &BackupConfig) -> (Limits, Lifetime) {
    let (limits, making) = limits(config, config.create_limit_seconds, config.concurrent_backups);
    (limits, Lifetime { making, pins: Some(making.saturating_add(24 * HOUR)) })
}

pub(super) fn limits_of_downloads(config: &BackupConfig) -> Limits {
    limits(config, DOWNLOAD_SECONDS, config.concurrent_downloads).0
}

/// The second value is the maximum duration in microseconds.
pub(super) fn limits(config: &BackupConfig, seconds: u64, concurrent: usize) -> (Limits, i64) {
    let (duration, stall) = (Duration::from_secs(seconds), Duration::from_secs(config.stall_seconds));
    let longest = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    (Limits { duration, stall, concurrent }, longest)
}

/// Time between the deletion of a backup and the deletion of its files.
pub(super) fn delay(config: &BackupConfig) -> i64 {
    i64::from(config.delete_delay_hours) * HOUR
}

pub(super) fn cost(config: &BackupConfig) -> Cost {
    Cost {
        concurrent: config.concurrent_verifications,
        memory: MemoryLimits {
            row: config.verify_row_limit_bytes,
            manifest: config.verify_manifest_limit_bytes,
        },
        processor: Duration::from_secs(config.verify_processor_seconds),
    }
}

/// Kinds of operations with their maximum durations. A start event that has no closing event after that time gets one.
pub(super) fn closed(
    exports: Limits,
    creations: Limits,
    downloads: Limits,
    restores: Limits,
) -> Vec<(&'static operation::Kind, Duration)> {
    vec![
        (&export::KIND, exports.duration),
        (&CREATION, creations.duration),
        (&DOWNLOAD, downloads.duration),
        (&restore::APPLY, restores.duration),
        (&restore::ROLLBACK, restores.duration),
        (&moving::EXPORT, exports.duration),
        (&moving::IMPORT, restores.duration),
        (&reencryption::KIND, Duration::from_secs(REENCRYPTION_SECONDS)),
    ]
}
