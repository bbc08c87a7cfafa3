//! The message for an operator if the two ends disagree about TLS. The library's text says what happened, not what to
//! do.

use std::error::Error as _;

use strongroom_runtime::status::causes;
use tonic::Status;

/// Texts of refusals by this side and by the other one, from rustls and from Strongroom.
const UNTRUSTED: &str = "invalid peer certificate";
const NO_TLS: &str = "InvalidContentType";
const TLS: &str = "this port speaks TLS";
const NO_CERTIFICATE: &str = "CertificateRequired";
const REFUSED: &str = "received fatal alert";

/// The sentence for a call that failed because of its connection's encryption; `None` for any other cause.
pub(super) fn disagreement(status: &Status, service: &str, url: &str, variable: &str) -> Option<String> {
    // A status that the service sent has no source.
    status.source()?;
    let causes = causes(status);
    let has = |words: &str| causes.contains(words);
    if has(TLS) {
        return Some(format!("{service} at {url} speaks TLS; set {variable} to https://…"));
    }
    if has(UNTRUSTED) {
        return Some(format!(
            "cannot trust {service} at {url} ({causes}); set STRONGROOM_CA_FILE to the authority of its certificate, and \
             {variable} to a name in it"
        ));
    }
    if has(NO_TLS) {
        return Some(format!("{service} at {url} does not speak TLS ({causes}); set {variable} to http://…"));
    }
    if has(NO_CERTIFICATE) {
        return Some(format!(
            "{service} at {url} wants a client certificate; set STRONGROOM_CERT_FILE and STRONGROOM_KEY_FILE to one of its \
             authorities"
        ));
    }
    has(REFUSED).then(|| {
        format!(
            "{service} at {url} refuses the connection ({causes}); check that STRONGROOM_CERT_FILE holds a certificate of \
             its authorities that has not expired"
        )
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn said(cause: &str) -> Option<String> {
        let mut status = Status::unavailable("transport error");
        status.set_source(Arc::new(std::io::Error::other(cause.to_owned())));
        disagreement(&status, "the vault", "https://v:1", "STRONGROOM_VAULT_URL")
    }

    #[test]
    fn each_disagreement_has_its_remedy() {
        for (cause, remedy) in [
            ("this port speaks TLS; use an https address", "STRONGROOM_VAULT_URL to https://"),
            ("invalid peer certificate: UnknownIssuer", "STRONGROOM_CA_FILE"),
            ("received corrupt message of type InvalidContentType", "STRONGROOM_VAULT_URL to http://"),
            ("received fatal alert: CertificateRequired", "STRONGROOM_CERT_FILE and STRONGROOM_KEY_FILE"),
            ("received fatal alert: UnknownCA", "its authorities"),
        ] {
            let sentence = said(cause).unwrap();
            assert!(sentence.contains("https://v:1") && sentence.contains(remedy), "{sentence}");
        }
        assert_eq!(said("connection refused"), None);
        let theirs = Status::unavailable("invalid peer certificate");
        assert_eq!(disagreement(&theirs, "the vault", "u", "V"), None, "the service says it of another one");
    }
}
