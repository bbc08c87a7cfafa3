//! gRPC errors in the form of AIP-193: one `ErrorInfo` with a stable reason, and the name of the field.
//!
//! Details travel in trailers, which are limited to 16 KiB in total, so texts are cut to size here. They may repeat
//! text of a caller, a file or a database, so they are made printable too.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::printable::printable;

/// Maximum length of a message or a metadata value, in bytes; longer ones are cut.
const MAX_TEXT: usize = 1000;

/// A status with an `ErrorInfo`. `domain` is the service's name; `reason` is UPPER_SNAKE, and its meaning never
/// changes.
#[must_use]
pub fn status(code: Code, domain: &str, reason: &str, message: &str, metadata: &[(&str, &str)]) -> Status {
    let details = ErrorDetails::with_error_info(reason, domain, owned(metadata));
    Status::with_error_details(code, cut(message), details)
}

/// INVALID_ARGUMENT with `reason` `INVALID_FIELD` and the field named in a `BadRequest`.
#[must_use]
pub fn bad_request(domain: &str, field: &str, description: &str) -> Status {
    bad_field(domain, "INVALID_FIELD", field, description, &[])
}

/// [`bad_request`] with its own reason, and with `metadata` besides the field's name.
#[must_use]
pub fn bad_field(
    domain: &str,
    reason: &str,
    field: &str,
    description: &str,
    metadata: &[(&str, &str)],
) -> Status {
    let metadata = [&[("field", field)], metadata].concat();
    let mut details = ErrorDetails::with_error_info(reason, domain, owned(&metadata));
    details.add_bad_request_violation(cut(field), cut(description));
    Status::with_error_details(Code::InvalidArgument, cut(&format!("{field}: {description}")), details)
}

/// The message of `status` and its causes, each once. A status has causes if it was created on this side: the other
/// side was not reached, or the connection broke.
#[must_use]
pub fn causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

/// RESOURCE_EXHAUSTED with a delay after which a retry makes sense.
#[must_use]
pub fn exhausted(domain: &str, reason: &str, message: &str, retry: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
    details.set_retry_info(Some(retry));
    Status::with_error_details(Code::ResourceExhausted, cut(message), details)
}

/// UNAVAILABLE with a delay after which a retry makes sense.
#[must_use]
pub fn unavailable(domain: &str, reason: &str, message: &str, retry: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
    details.set_retry_info(Some(retry));
    Status::with_error_details(Code::Unavailable, cut(message), details)
}

/// The stable reason in the `ErrorInfo` of `status`; empty without one.
#[must_use]
pub fn reason_of(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

fn owned(metadata: &[(&str, &str)]) -> HashMap<String, String> {
    metadata.iter().map(|(key, value)| ((*key).to_owned(), cut(value))).collect()
}

fn cut(text: &str) -> String {
    let text = printable(text);
    if text.len() <= MAX_TEXT {
        return text.into_owned();
    }
    let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The gRPC name of a code.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_stay_small_and_whole() {
        let long = "é".repeat(5000);
        let status = bad_request("vault.strongroom", "display_name", &long);
        assert!(status.details().len() < 4096, "{}", status.details().len());
        assert_eq!(reason_of(&status), "INVALID_FIELD");
        let violations = status.get_details_bad_request().expect("it is there").field_violations;
        assert_eq!(violations[0].field, "display_name");
    }
    #[test]
    fn no_text_of_a_status_reaches_a_terminal_as_it_was_sent() {
        let hostile = "\x1b]52;c;Y2xp\x07\u{9b}8m\u{202e}\u{200b}";
        let shown = r"\u{1b}]52;c;Y2xp\u{7}\u{9b}8m\u{202e}\u{200b}";
        let status = bad_field("vault.strongroom", "BAD_NAME", hostile, hostile, &[("value", hostile)]);
        assert_eq!(status.message(), format!("{shown}: {shown}"));
        let violation = &status.get_details_bad_request().expect("it is there").field_violations[0];
        assert_eq!((&*violation.field, &*violation.description), (shown, shown));
        assert_eq!(status.get_details_error_info().expect("it is there").metadata["value"], shown);
        let refusal = exhausted("vault.strongroom", "BUSY", hostile, Duration::from_secs(1));
        assert_eq!(refusal.message(), shown);
        assert_eq!(super::status(Code::Internal, "vault.strongroom", "X", hostile, &[]).message(), shown);
    }
}
