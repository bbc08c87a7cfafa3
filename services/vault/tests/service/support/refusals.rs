//! Checks of refusals.

use std::collections::HashMap;

use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Panics unless `answer` is a refusal with this code and reason.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_str()), (code, reason), "{}", status.message());
}

/// Panics unless `answer` refuses this field, and repeats no secret.
#[track_caller]
pub(crate) fn assert_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
    assert!(status.message().starts_with(&format!("{field}: ")), "{field}: {}", status.message());
    assert!(!status.message().contains("sk-"), "no message repeats a secret");
}

pub(crate) fn metadata_of(status: &Status) -> HashMap<String, String> {
    status.get_details_error_info().unwrap().metadata
}
