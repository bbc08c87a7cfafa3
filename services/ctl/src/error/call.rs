//! A refused or failed call as one sentence that says what to do.

use std::error::Error as _;
use std::fmt;

use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::encryption::disagreement;
use crate::output::printable;

/// Reasons of refusals that open a request, which another person can approve.
const RETIREMENT_REFUSED: [&str; 2] = ["KEY_VERSION_IN_USE", "KEY_CENSUS_STALE"];

/// A refused or failed call, as the operator reads it.
#[derive(Debug)]
pub(crate) struct CallFailed {
    code: Code,
    sentence: String,
    reason: String,
    is_away: bool,
}

impl CallFailed {
    /// `service` is `the vault` or `the backup service`; `variable` is the variable with its address.
    pub(crate) fn new(status: &Status, service: &str, url: &str, variable: &str) -> Self {
        let reason = reason_of(status);
        if let Some(sentence) = disagreement(status, service, url, variable) {
            let sentence = printable(&sentence).into_owned();
            return Self { code: status.code(), sentence, reason, is_away: false };
        }
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => printable(message).trim_end_matches('.').to_owned(),
        };
        let approvable = approvable(status, &reason);
        let shown = if reason.is_empty() { message } else { format!("{message} [{reason}]") };
        // A status with a source was created on this side: the service was not reached, or the connection broke.
        let ours = status.source().is_some();
        let plain = url.starts_with("http://");
        let sentence = match (status.code(), ours) {
            (Code::Unavailable, true) => {
                format!(
                    "cannot reach {service} at {url} ({shown}); start it, or set {variable} to its address"
                )
            }
            (Code::Unavailable, false) => format!("{shown} ({service} at {url}); try again"),
            (Code::Unauthenticated, _) => {
                format!(
                    "{shown}; set STRONGROOM_TOKEN or STRONGROOM_TOKEN_FILE to a valid token, or STRONGROOM_CERT_FILE to a \
                     certificate that the vault knows"
                )
            }
            _ if !approvable.is_empty() => {
                format!(
                    "{shown}; `strongroom key census` shows what needs it; another person can approve it with \
                     `strongroom key approve {approvable}`"
                )
            }
            (Code::Unimplemented, _) => {
                format!(
                    "the server at {url} is not {service}, or is an older release of it ({shown}); set {variable} to its address"
                )
            }
            (Code::DeadlineExceeded, _) => format!("{shown} ({service} at {url})"),
            // tonic's own timeout ends a call as CANCELLED.
            (Code::Cancelled, true) if status.message() == "Timeout expired" => {
                format!("{service} at {url} did not answer in time")
            }
            (Code::Unknown | Code::Internal | Code::Cancelled, true) if plain => {
                format!(
                    "the connection to {service} at {url} broke off ({shown}); if the service speaks TLS, set \
                     {variable} to https://…; if the address is that of an admin port, set {variable} to the \
                     address of the gRPC port"
                )
            }
            (Code::Unknown | Code::Internal | Code::Cancelled, true) => {
                format!("the connection to {service} at {url} broke off ({shown})")
            }
            _ => shown,
        };
        let broken = ours && matches!(status.code(), Code::Unknown | Code::Internal | Code::Cancelled);
        let is_away = broken || status.code() == Code::Unavailable;
        Self { code: status.code(), sentence, reason, is_away }
    }

    /// Whether the service could not be reached, lost the connection, or cannot serve now: worth a retry.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away
    }

    /// The code of the call.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The stable reason of the service's error; empty when it gave none.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

/// The request that a refused retirement opened; empty for every other refusal.
fn approvable(status: &Status, reason: &str) -> String {
    if !RETIREMENT_REFUSED.contains(&reason) {
        return String::new();
    }
    let facts = status.get_details_error_info().map(|info| info.metadata).unwrap_or_default();
    facts.get("request_id").map(|id| printable(id).into_owned()).unwrap_or_default()
}

impl fmt::Display for CallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for CallFailed {}

#[cfg(test)]
mod tests {
    use strongroom_runtime::status::status;

    use super::*;

    fn shown(status: &Status) -> String {
        CallFailed::new(status, "the vault", "http://v:1", "STRONGROOM_VAULT_URL").to_string()
    }

    #[test]
    fn a_refusal_is_the_service_s_sentence_and_its_reason() {
        let refused = status(Code::FailedPrecondition, "vault", "CREDENTIAL_INACTIVE", "it is inactive", &[]);
        assert_eq!(shown(&refused), "it is inactive [CREDENTIAL_INACTIVE]");
        assert_eq!(shown(&Status::internal("a\u{1b}[31m.")), "a\\u{1b}[31m");
        assert!(!shown(&Status::internal("")).is_empty());
    }

    #[test]
    fn a_refused_retirement_says_how_it_is_approved() {
        let facts = [("kid", "0123456789abcdef"), ("request_id", "r-1")];
        let message = "it is needed by 3 rows";
        let refused = status(Code::FailedPrecondition, "vault", "KEY_VERSION_IN_USE", message, &facts);
        let shown = shown(&refused);
        assert!(shown.starts_with("it is needed by 3 rows [KEY_VERSION_IN_USE]; "), "{shown}");
        assert!(shown.ends_with("`strongroom key approve r-1`"), "{shown}");
    }

    #[test]
    fn advice_names_what_to_set() {
        let unknown = shown(&Status::unauthenticated("the token is unknown"));
        assert!(unknown.contains("STRONGROOM_TOKEN_FILE"), "{unknown}");
        let busy = shown(&Status::unavailable("the log cannot be written"));
        assert!(busy.contains("http://v:1") && busy.contains("try again"), "{busy}");
        let other = shown(&Status::unimplemented(""));
        assert!(other.contains("is not the vault") && other.contains("STRONGROOM_VAULT_URL"), "{other}");
        let mut away = Status::unavailable("tcp connect error");
        away.set_source(std::sync::Arc::new(std::io::Error::other("refused")));
        let away = shown(&away);
        assert!(away.contains("http://v:1") && away.contains("STRONGROOM_VAULT_URL"), "{away}");
    }

    #[test]
    fn what_is_worth_another_try_is_told_apart() {
        let away = |status: &Status| CallFailed::new(status, "the vault", "http://v:1", "X").is_away();
        assert!(away(&Status::unavailable("the database is away")));
        let mut broken = Status::unknown("h2 protocol error");
        assert!(!away(&broken), "the service said so");
        broken.set_source(std::sync::Arc::new(std::io::Error::other("reset")));
        assert!(away(&broken));
        assert!(!away(&Status::not_found("no such credential")));
    }
}
