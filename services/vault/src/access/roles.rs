//! Roles: named sets of permissions that tokens are issued with.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Beside the methods' own permissions: an export for other eyes than those the server is configured for.
const EXPORT_CHOICES: &[&str] =
    &["backup.export_passphrase", "backup.export_plain", "backup.export_recipients"];

const OPERATOR: &[&str] = &[
    "archive.seal",
    "audit.head",
    "audit.list",
    "audit.verify",
    "backup.export",
    "backup.verify",
    "credential.activate",
    "credential.create",
    "credential.deactivate",
    "credential.delete",
    "credential.get",
    "credential.list",
    "credential.rotate",
    "credential.update",
    "crypto.export_signing_key",
    "key.list",
    "key.reencrypt",
    "key.rotate",
    "reference.bind",
    "reference.list",
    "reference.release",
    "source.list",
];

const AUDITOR: &[&str] = &[
    "audit.head",
    "audit.list",
    "audit.verify",
    "backup.verify",
    "credential.get",
    "credential.list",
    "crypto.export_signing_key",
    "key.list",
    "reference.list",
    "source.list",
    "token.list",
];

const GATEWAY: &[&str] = &[
    "credential.get",
    "credential.list",
    "credential.reveal",
    "crypto.decrypt",
    "crypto.encrypt",
    "crypto.generate_data_key",
    "crypto.rewrap",
    "reference.bind",
    "reference.list",
    "reference.release",
    "reference.resolve",
];

/// Opens archives too: it verifies them for those who may not.
const BACKUP_SERVICE: &[&str] = &[
    "archive.open",
    "archive.seal",
    "audit.head",
    "audit.record",
    "crypto.check",
    "crypto.export_signing_key",
    "crypto.sign_manifest",
    "key.export_ring",
    "key.pin",
    "key.report_census",
    "source.read",
    "token.introspect",
];

/// Can make archives, sealed to whom the server is configured for; can neither delete nor open them.
const BACKUP_CREATOR: &[&str] = &["backup.export", "source.list"];

/// An admin holds every permission there is, because nobody can issue what they lack.
static ADMIN: LazyLock<Arc<BTreeSet<String>>> = LazyLock::new(|| {
    let methods = strongroom_api::PERMISSIONS.iter().map(|(_, permission)| (*permission).to_owned());
    Arc::new(methods.chain(EXPORT_CHOICES.iter().map(|permission| (*permission).to_owned())).collect())
});

/// What selectors bind. A token that has any holds nothing else: what reads or changes across the whole deployment
/// would lead around them.
const NARROWABLE: &[&str] = &[
    "credential.activate",
    "credential.create",
    "credential.deactivate",
    "credential.delete",
    "credential.get",
    "credential.list",
    "credential.reveal",
    "credential.rotate",
    "credential.update",
    "crypto.decrypt",
    "crypto.encrypt",
    "crypto.export_signing_key",
    "crypto.generate_data_key",
    "crypto.rewrap",
    "reference.bind",
    "reference.list",
    "reference.release",
    "reference.resolve",
    "token.issue",
];

/// What is left of permissions for a token with selectors.
pub(crate) fn narrowed(permissions: &BTreeSet<String>) -> Arc<BTreeSet<String>> {
    let bound = |permission: &&String| NARROWABLE.contains(&permission.as_str());
    Arc::new(permissions.iter().filter(bound).cloned().collect())
}

/// The names, in the order in which they are shown.
pub(crate) const NAMES: &[&str] =
    &["admin", "operator", "auditor", "gateway", "backup-service", "backup-creator"];

/// What a role may do; `None` when there is no such role.
pub(crate) fn permissions(role: &str) -> Option<Arc<BTreeSet<String>>> {
    let list = match role {
        "admin" => return Some(Arc::clone(&ADMIN)),
        "operator" => OPERATOR,
        "auditor" => AUDITOR,
        "gateway" => GATEWAY,
        "backup-service" => BACKUP_SERVICE,
        "backup-creator" => BACKUP_CREATOR,
        _ => return None,
    };
    Some(Arc::new(list.iter().map(|permission| (*permission).to_owned()).collect()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_role_holds_permissions_that_exist() {
        for role in NAMES {
            let held = permissions(role).unwrap();
            assert!(!held.is_empty(), "{role}");
            assert!(
                held.is_subset(&ADMIN),
                "{role} holds what no method asks for: {:?}",
                held.difference(&ADMIN)
            );
        }
        assert!(permissions("root").is_none());
    }

    #[test]
    fn a_narrowed_token_holds_only_what_selectors_bind() {
        let admin = permissions("admin").unwrap();
        let left = narrowed(&admin);
        let expected = NARROWABLE.iter().map(|permission| (*permission).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(*left, expected, "each of them exists");
        for around in ["source.read", "key.export_ring", "audit.list", "token.list", "backup.export"] {
            assert!(admin.contains(around) && !left.contains(around), "{around}");
        }
    }

    #[test]
    fn duties_are_separate() {
        let held = |role: &str, permission: &str| permissions(role).unwrap().contains(permission);
        for role in ["operator", "auditor", "backup-creator", "backup-service"] {
            for opening in ["credential.reveal", "reference.resolve"] {
                assert!(!held(role, opening), "{role} must not see secrets");
            }
            assert!(!held(role, "crypto.decrypt"), "{role} must not see values");
        }
        for role in ["operator", "auditor", "gateway", "backup-creator"] {
            assert!(!held(role, "archive.open"), "{role} must not read archives");
            assert!(!held(role, "audit.record") && !held(role, "token.issue"), "{role}");
            for choice in EXPORT_CHOICES {
                assert!(!held(role, choice), "{role} must not choose who reads an export: {choice}");
            }
            assert!(!held(role, "crypto.check") && !held(role, "crypto.sign_manifest"), "{role}");
        }
        assert!(!held("backup-creator", "backup.verify"), "it makes archives, and learns nothing of them");
    }
}
