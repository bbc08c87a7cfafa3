//! The meaning of S3's refusals.

use super::Problem;
use super::transport::Failure;

/// The attempted operation: the same refusal has different meanings for different operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Write,
    Upload,
    Delete,
}

/// Error bodies are not repeated: they name access keys and contain the signed text.
pub(super) fn of(error: &object_store::Error, verb: Verb) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<Failure>() {
            Some(Failure::Away(why)) => return Problem::Unavailable(why.clone()),
            Some(Failure::NoCredentials(why)) => return Problem::Denied(why.clone()),
            Some(Failure::Refused { status, code }) => return refused(*status, code, verb),
            Some(Failure::Foreign) => break,
            None => cause = current.source(),
        }
    }
    Problem::Failed("its answer is not one of S3's; does the endpoint belong to an S3 service?".into())
}

fn refused(status: u16, code: &str, verb: Verb) -> Problem {
    let said = if code.is_empty() { format!("HTTP {status}") } else { format!("{status} {code}") };
    match code {
        "NoSuchBucket" => return Problem::Missing("bucket"),
        "NoSuchUpload" => return Problem::UploadMissing,
        "NoSuchKey" => return missing(verb),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed" => return Problem::Denied(said),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            return Problem::Failed(format!("{said}: the bucket is in another region; set region"));
        }
        "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" => {
            return Problem::Full(said);
        }
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted" => {
            return Problem::Unavailable(said);
        }
        _ => {}
    }
    match status {
        401 | 403 | 405 | 409 if verb == Verb::Delete => Problem::DeleteRefused(said),
        401 | 403 => Problem::Denied(said),
        404 => missing(verb),
        412 => Problem::ObjectChanged,
        507 => Problem::Full(said),
        408 | 429 | 500 | 502..=504 => Problem::Unavailable(said),
        301 | 307 | 308 => {
            Problem::Failed(format!("{said}: the bucket is elsewhere; set region or endpoint"))
        }
        _ => Problem::Failed(said),
    }
}

fn missing(verb: Verb) -> Problem {
    if verb == Verb::Upload { Problem::UploadMissing } else { Problem::ObjectMissing }
}
