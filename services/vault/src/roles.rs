//! Roles: named sets of permissions that tokens are issued with.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Beside the methods' own permissions: an export that nothing seals.
const EXPORT_PLAIN: &str = "backup.export_plain";

const OPERATOR: &[&str] = &[
    "audit.head",
    "audit.list",
    "audit.verify",
    "backup.export",
    "credential.activate",
    "credential.create",
    "credential.deactivate",
    "credential.delete",
    "credential.get",
    "credential.list",
    "credential.update",
    "reference.bind",
    "reference.list",
    "reference.release",
    "source.list",
];

const AUDITOR: &[&str] = &[
    "audit.head",
    "audit.list",
    "audit.verify",
    "credential.get",
    "credential.list",
    "reference.list",
    "source.list",
    "token.list",
];

const GATEWAY: &[&str] = &[
    "credential.get",
    "credential.list",
    "credential.reveal",
    "reference.bind",
    "reference.list",
    "reference.release",
];

const BACKUP_SERVICE: &[&str] =
    &["audit.head", "audit.record", "key.export_ring", "source.read", "token.introspect"];

/// Can make archives, and neither delete nor open them.
const BACKUP_CREATOR: &[&str] = &["backup.export", "source.list"];

/// An admin holds every permission there is, because nobody can issue what they lack.
static ADMIN: LazyLock<Arc<BTreeSet<String>>> = LazyLock::new(|| {
    let methods = strongroom_api::PERMISSIONS.iter().map(|(_, permission)| (*permission).to_owned());
    Arc::new(methods.chain([EXPORT_PLAIN.to_owned()]).collect())
});

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
    fn duties_are_separate() {
        let held = |role: &str, permission: &str| permissions(role).unwrap().contains(permission);
        for role in ["operator", "auditor", "backup-creator", "backup-service"] {
            assert!(!held(role, "credential.reveal"), "{role} must not see secrets");
        }
        for role in ["operator", "auditor", "gateway", "backup-creator"] {
            assert!(!held(role, "audit.record") && !held(role, "token.issue"), "{role}");
            assert!(!held(role, EXPORT_PLAIN), "{role}");
        }
    }
}
