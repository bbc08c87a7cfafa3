//! Names in client certificates: they identify a caller without a token.
//!
//! A URI is used verbatim (`spiffe://…`); a DNS name is lower-cased and prefixed with `dns:`. A URI that itself begins
//! with `dns:` is left out, because it could pass for a DNS name.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Prefix of a DNS name among the names of a certificate.
pub const DNS: &str = "dns:";
/// Prefix of the id of a principal that a certificate identifies.
pub const PRINCIPAL: &str = "identity:";
/// Maximum number of names in a certificate. One with more identifies nobody: it could hide an ambiguity.
pub const MAX_NAMES: usize = 100;
/// Maximum length of a name in bytes: that of a SPIFFE ID.
pub const MAX_NAME: usize = 2048;

/// The names of a certificate whose signature was checked, at most one more than [`MAX_NAMES`]. Empty if the
/// certificate cannot be read.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return Vec::new() };
    alternatives.value.general_names.iter().filter_map(name).take(MAX_NAMES + 1).collect()
}

/// Why a certificate with `names` identifies nobody, whatever the configuration; `None` if it can identify a caller.
pub(crate) fn problem(names: &[String]) -> Option<String> {
    if names.is_empty() {
        return Some("has no URI or DNS name".to_owned());
    }
    if names.len() > MAX_NAMES {
        return Some(format!("has more than {MAX_NAMES} names; issue one with fewer"));
    }
    let long = names.iter().any(|name| name.len() > MAX_NAME);
    long.then(|| format!("has a name of more than {MAX_NAME} bytes; issue one with a shorter name"))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) if !begins_with_dns(uri) => Some((*uri).to_owned()),
        GeneralName::DNSName(name) => Some(format!("{DNS}{}", name.to_ascii_lowercase())),
        _ => None,
    }
}

fn begins_with_dns(uri: &str) -> bool {
    uri.get(..DNS.len()).is_some_and(|start| start.eq_ignore_ascii_case(DNS))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn names_with(alternatives: Vec<SanType>) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = alternatives;
        names(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    #[test]
    fn uris_and_dns_names_are_taken_and_nothing_else() {
        let mail = SanType::Rfc822Name("a@b.example".try_into().unwrap());
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        let found = names_with(vec![uri("spiffe://a/B"), mail, dns("Gateway.Internal"), address]);
        assert_eq!(found, ["spiffe://a/B", "dns:gateway.internal"]);
        assert!(names_with(vec![]).is_empty());
        assert!(names(&CertificateDer::from(vec![1, 2, 3])).is_empty());
    }

    #[test]
    fn a_uri_cannot_pass_for_a_dns_name() {
        assert!(names_with(vec![uri("dns:gateway.internal"), uri("DNS:gateway.internal")]).is_empty());
    }

    #[test]
    fn names_that_are_no_identity_are_told_apart() {
        let many = |count| problem(&names_with((0..count).map(|at| dns(&format!("h{at}"))).collect()));
        assert_eq!(many(MAX_NAMES), None);
        assert!(many(MAX_NAMES + 1).unwrap().contains("more than 100 names"));
        assert!(many(MAX_NAMES * 5).unwrap().contains("more than 100 names"));
        assert!(many(0).unwrap().contains("no URI or DNS name"));
        let long = problem(&names_with(vec![uri(&format!("spiffe://{}", "x".repeat(MAX_NAME)))]));
        assert!(long.unwrap().contains("2048 bytes"));
    }
}
