//! Stored backups: each test runs with a folder and with an S3 service.

mod absent;
mod changed;
mod clock;
mod disk;
mod download;
mod drills;
mod faults;
mod life;
mod limits;
mod places;
mod scan;
mod scan_input;
mod schedules;

use tonic::Status;
use tonic_types::StatusExt as _;

/// The field named by a refusal.
fn field(status: &Status) -> String {
    let violations = status.get_details_bad_request().expect("a field").field_violations;
    violations[0].field.clone()
}
