//! The identities in the configuration, or an error that names the invalid one.

use strongroom_runtime::selectors::text;

use crate::access::{Identities, Role};
use crate::config::{IdentityConfig, VaultConfig};
use crate::error::{Error, Result};
use crate::grpc;

/// All of `[[vault.identities]]`.
///
/// # Errors
/// [`Error::Startup`] naming the identity.
pub(crate) fn identities(config: &VaultConfig) -> Result<Identities> {
    let shows_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    if !shows_certificates && !config.identities.is_empty() {
        let message =
            "[[vault.identities]] need the authorities of their certificates: set vault.tls.client_ca_file";
        return Err(Error::Startup(message.to_owned()));
    }
    let mut identities = Identities::default();
    for one in &config.identities {
        add(&mut identities, one)
            .map_err(|problem| Error::Startup(format!("vault.identities: {:?}: {problem}", one.san)))?;
    }
    Ok(identities)
}

fn add(identities: &mut Identities, one: &IdentityConfig) -> Result<(), String> {
    let role = Role::from_text(&one.role).ok_or_else(|| {
        format!("there is no role {:?}; the roles are {}", one.role, Role::ALL.map(Role::as_str).join(", "))
    })?;
    let parse = |selector: &String| text::parse(selector).map_err(|error| format!("{selector:?}: {error}"));
    let given = one.select.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let selectors = grpc::selectors("select", &given).map_err(|error| error.to_string())?;
    identities.add(&one.san, role, selectors)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_runtime::server::TlsConfig;

    use super::*;

    fn open(identities: &[(&str, &str, &[&str])]) -> Result<Identities> {
        let tls =
            TlsConfig { client_ca_file: Some("ca.pem".into()), ..TlsConfig::new("c".into(), "k".into()) };
        let identities = identities.iter().map(|(san, role, select)| IdentityConfig {
            san: (*san).to_owned(),
            role: (*role).to_owned(),
            select: select.iter().map(|one| (*one).to_owned()).collect(),
        });
        let identities = identities.collect();
        super::identities(&VaultConfig { tls: Some(tls), identities, ..VaultConfig::default() })
    }

    #[test]
    fn an_identity_has_the_permissions_of_its_role_within_its_selection() {
        let known = open(&[
            ("spiffe://a/b", "gateway", &["label.env=prod", "provider=openai"]),
            ("dns:b", "auditor", &[]),
        ]);
        let known = known.unwrap();
        let gateway = known.find(&["spiffe://a/b".to_owned()]).unwrap().unwrap();
        assert!(gateway.may("credential.reveal") && !gateway.may("audit.list"));
        assert_eq!(gateway.selectors.labels, [("env".to_owned(), "prod".to_owned())]);
        assert_eq!((gateway.name.as_str(), gateway.noun()), ("spiffe://a/b", "identity"));
        assert!(known.find(&["dns:b".to_owned()]).unwrap().unwrap().may("audit.list"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (identity, problem) in [
            (("spiffe://a", "root", &[][..]), "backup-creator"),
            (("spiffe://a", "gateway", &["env=prod"][..]), "label.env=prod"),
            (("spiffe://a", "gateway", &["provider=NO"][..]), "selectors"),
            (("gateway", "gateway", &[][..]), "must be a URI"),
        ] {
            let refused = open(&[identity]).unwrap_err().to_string();
            assert!(refused.contains(identity.0), "{refused}");
            assert!(refused.contains(problem) || problem == "selectors", "{refused}");
        }
        let twice = open(&[("dns:a", "gateway", &[]), ("dns:a", "auditor", &[])]).unwrap_err().to_string();
        assert!(twice.contains("dns:a") && twice.contains("twice"), "{twice}");
    }

    #[test]
    fn the_sample_can_be_meant() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/config/mtls.toml");
        let none = std::iter::empty();
        let file: crate::config::ConfigFile =
            strongroom_runtime::config::load_with(Some(sample.as_ref()), none).unwrap();
        assert!(!file.vault.identities.is_empty());
        super::identities(&file.vault).unwrap();
    }

    #[test]
    fn identities_without_authorities_are_refused() {
        let identity = IdentityConfig { san: "dns:a".into(), role: "gateway".into(), select: Vec::new() };
        let config = VaultConfig { identities: vec![identity], ..VaultConfig::default() };
        let refused = super::identities(&config).unwrap_err().to_string();
        assert!(refused.contains("vault.tls.client_ca_file"), "{refused}");
    }
}
