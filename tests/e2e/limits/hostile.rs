//! Archives of a few hundred kilobytes designed to use memory. Each is within the format's limits.

use strongroom_archive::ManifestHead;
use strongroom_testkit::archives::{empty, files, head, sealed_table};

/// Size of a row that the service still reads by default.
const ROW: usize = 31 << 20;

/// The archives with their names.
pub(super) fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let key = "a".repeat(ROW);
    let head = ManifestHead { app_url: "a".repeat(7 << 20), ..head(Vec::new()) };
    vec![
        ("repeated.zip", sealed_table(&key, &[], 1, &"{k}".repeat(341), 1)),
        ("wide.zip", sealed_table(&key, &["k"], 990, "{k}", 1)),
        ("escaped.zip", sealed_table(&r"\u0061".repeat(ROW / 6), &["k"], 990, "x", 1)),
        ("manifest.zip", empty(head)),
        ("entries.zip", files(1500, 1)),
    ]
}
