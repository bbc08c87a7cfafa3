//! Identities: permissions of the holders of client certificates. They are configuration, not rows: the operator who
//! starts the vault defines them, and a restart changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_runtime::identity::{DNS, PRINCIPAL};
use strongroom_runtime::{Delegation, Principal, Selectors};

use super::Role;
use super::roles::held;
use crate::error::{Error, Result};

/// Prefixed with `identity:`, the name is an actor in the audit log, which is limited to 200 characters.
const MAX_NAME: usize = 190;

/// Principals by the name in their certificates.
#[derive(Debug, Default)]
pub(crate) struct Identities(BTreeMap<String, Principal>);

impl Identities {
    /// Adds the principal with `name` in its certificate: a URI, or `dns:` and a DNS name.
    ///
    /// # Errors
    /// A sentence that says why the name is invalid.
    pub(crate) fn add(&mut self, name: &str, role: Role, selectors: Selectors) -> Result<(), String> {
        let name = checked(name)?;
        let permissions = held(role, &selectors);
        let id = format!("{PRINCIPAL}{name}");
        let (selectors, delegation) = (Arc::new(selectors), Delegation::default());
        let principal =
            Principal { id, name: name.clone(), permissions, selectors, delegation, token_hash: Vec::new() };
        if self.0.contains_key(&name) {
            return Err("is listed twice; a certificate stands for one identity".to_owned());
        }
        self.0.insert(name, principal);
        Ok(())
    }

    /// Whether `principal` (`identity:<name>`) is one of them.
    pub(crate) fn knows(&self, principal: &str) -> bool {
        principal.strip_prefix(PRINCIPAL).is_some_and(|name| self.0.contains_key(name))
    }

    /// All identities, as the audit log names them.
    pub(crate) fn principals(&self) -> Vec<String> {
        self.0.values().map(|principal| principal.id.clone()).collect()
    }

    /// The identities with every permission, as the audit log names them.
    pub(crate) fn admins(&self) -> Vec<String> {
        let admin = Role::Admin.permissions();
        let admins = self.0.values().filter(|one| one.selectors.is_everything() && one.permissions == admin);
        admins.map(|one| one.id.clone()).collect()
    }

    /// The principal that a certificate with these names authenticates.
    ///
    /// # Errors
    /// [`Error::IdentityAmbiguous`] if several match: the order in a file must not decide the caller's identity.
    pub(crate) fn find(&self, names: &[String]) -> Result<Option<Principal>> {
        let mut found: BTreeMap<&str, &Principal> = BTreeMap::new();
        for name in names {
            if let Some((name, principal)) = self.0.get_key_value(name) {
                found.insert(name, principal);
            }
        }
        if found.len() > 1 {
            let names: Vec<&str> = found.into_keys().collect();
            return Err(Error::IdentityAmbiguous(names.join(" and ")));
        }
        Ok(found.into_values().next().cloned())
    }

    /// The principal with this id, if it is configured.
    pub(super) fn by_principal(&self, id: &str) -> Option<Principal> {
        self.0.get(id.strip_prefix(PRINCIPAL)?).cloned()
    }
}

/// The name as certificates spell it ([`strongroom_runtime::identity`]).
fn checked(name: &str) -> Result<String, String> {
    if name.len() > MAX_NAME {
        return Err(format!("is longer than {MAX_NAME} bytes"));
    }
    if let Some(host) = name.strip_prefix(DNS) {
        let plain =
            host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.'));
        if host.is_empty() || !plain {
            return Err("must be dns: and a whole DNS name, without a wildcard".to_owned());
        }
        return Ok(format!("{DNS}{}", host.to_ascii_lowercase()));
    }
    let scheme = name.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() || scheme.contains(':') || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "must be a URI, such as spiffe://cluster.local/ns/gateway/sa/gateway, or dns: and a DNS name"
                .to_owned(),
        );
    }
    Ok(name.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn identities(names: &[&str]) -> Identities {
        let mut identities = Identities::default();
        for name in names {
            identities.add(name, Role::Gateway, Selectors::default()).unwrap();
        }
        identities
    }

    fn find(identities: &Identities, names: &[&str]) -> Result<Option<String>> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Ok(identities.find(&names)?.map(|principal| principal.id))
    }

    #[test]
    fn a_certificate_stands_for_the_one_identity_with_one_of_its_names() {
        let known = identities(&["spiffe://a/b", "dns:Gateway.Internal"]);
        assert_eq!(find(&known, &["dns:x", "spiffe://a/b"]).unwrap().unwrap(), "identity:spiffe://a/b");
        assert_eq!(
            find(&known, &["dns:gateway.internal"]).unwrap().unwrap(),
            "identity:dns:gateway.internal"
        );
        for other in ["spiffe://a/B", "spiffe://a/b/", "spiffe://a", "gateway.internal", "dns:*.internal"] {
            assert!(find(&known, &[other]).unwrap().is_none(), "{other}");
        }
        let twice = find(&known, &["spiffe://a/b", "spiffe://a/b"]).unwrap();
        assert!(twice.is_some(), "one name twice is one name");
    }

    #[test]
    fn a_certificate_of_two_identities_is_neither() {
        let known = identities(&["spiffe://a/b", "dns:gateway.internal"]);
        let ambiguous = find(&known, &["spiffe://a/b", "dns:gateway.internal"]).unwrap_err();
        assert!(
            matches!(ambiguous, Error::IdentityAmbiguous(names) if names == "dns:gateway.internal and spiffe://a/b")
        );
    }

    #[test]
    fn names_that_no_certificate_has_are_refused() {
        let long = format!("spiffe://{}", "x".repeat(MAX_NAME));
        for wrong in [
            "",
            "gateway",
            "dns:",
            "dns:*.internal",
            "dns:a b",
            "://x",
            "a:b://x",
            "spiffe://a b",
            "spiffe://é",
            &long,
        ] {
            let refused = Identities::default().add(wrong, Role::Gateway, Selectors::default());
            assert!(refused.is_err(), "{wrong}");
        }
        let mut known = identities(&["dns:a.internal"]);
        let twice = known.add("dns:A.internal", Role::Admin, Selectors::default()).unwrap_err();
        assert!(twice.contains("twice"), "{twice}");
    }
}
