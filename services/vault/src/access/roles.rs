//! Roles: sets of permissions. Each token is issued with one role.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use strongroom_runtime::Selectors;

/// Permissions in addition to those of the methods: exports for recipients other than those in the server's
/// configuration.
const EXPORT_CHOICES: &[&str] =
    &["backup.export_passphrase", "backup.export_plain", "backup.export_recipients"];

const OPERATOR: &[&str] = &[
    "archive.seal",
    "audit.head",
    "audit.list",
    "audit.verify",
    "backup.create",
    "backup.delete",
    "backup.download",
    "backup.estimate",
    "backup.export",
    "backup.get",
    "backup.hold",
    "backup.list",
    "backup.scan",
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
    "restore.apply",
    "restore.get",
    "restore.list",
    "restore.plan",
    "restore.rollback",
    "schedule.create",
    "schedule.delete",
    "schedule.list",
    "schedule.pause",
    "schedule.run",
    "source.list",
    "source.reencrypt",
    "status.get",
    "tables.import",
    "token.renew",
    "vault.restore",
];

const AUDITOR: &[&str] = &[
    "audit.head",
    "audit.list",
    "audit.verify",
    "backup.get",
    "backup.list",
    "backup.verify",
    "credential.get",
    "credential.list",
    "crypto.export_signing_key",
    "key.list",
    "person.list",
    "reference.list",
    "restore.get",
    "restore.list",
    "schedule.list",
    "source.list",
    "status.get",
    "token.list",
    "token.renew",
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
    "status.get",
    "token.renew",
];

/// Only the permissions that the backup service's code uses, because an intruder into the service gets its token. The
/// service opens archives in order to verify them for callers without that permission. It seals values anew for
/// operators who may not use the vault's keys, and only gets ciphertexts back.
const BACKUP_SERVICE: &[&str] = &[
    "archive.open",
    "archive.seal",
    "audit.head",
    "audit.record",
    "crypto.check",
    "crypto.export_signing_key",
    "crypto.reencrypt_archived",
    "crypto.rewrap",
    "crypto.sign_manifest",
    "crypto.sign_sidecar",
    "key.export_ring",
    "key.inspect_ring",
    "key.list",
    "key.pin",
    "key.report_census",
    "source.read",
    "source.restore",
    "token.introspect",
];

/// Makes archives sealed to the configured recipients, and lists the stored ones; cannot delete, hold, download, open
/// or verify them.
const BACKUP_CREATOR: &[&str] = &[
    "backup.create",
    "backup.estimate",
    "backup.export",
    "backup.get",
    "backup.list",
    "schedule.list",
    "source.list",
    "status.get",
    "token.renew",
];

/// Every permission: nobody can issue a permission that they lack, so an admin must hold them all.
static ADMIN: LazyLock<Arc<BTreeSet<String>>> = LazyLock::new(|| {
    let methods = strongroom_api::PERMISSIONS.iter().map(|(_, permission)| (*permission).to_owned());
    Arc::new(methods.chain(EXPORT_CHOICES.iter().map(|permission| (*permission).to_owned())).collect())
});

/// Permissions that selectors apply to. A token with selectors holds no others, because a method that reads or changes
/// the whole deployment would bypass them. `status.get` shows nothing that a selector could select.
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
    "status.get",
    "token.issue",
    "token.renew",
];

/// The permissions of a holder of `role` within `selectors`.
pub(crate) fn held(role: Role, selectors: &Selectors) -> Arc<BTreeSet<String>> {
    let permissions = role.permissions();
    if selectors.is_everything() { permissions } else { narrowed(&permissions) }
}

/// The permissions that remain for a token with selectors.
fn narrowed(permissions: &BTreeSet<String>) -> Arc<BTreeSet<String>> {
    let bound = |permission: &&String| NARROWABLE.contains(&permission.as_str());
    Arc::new(permissions.iter().filter(bound).cloned().collect())
}

/// A token's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Operator,
    Auditor,
    Gateway,
    BackupService,
    BackupCreator,
}

impl Role {
    /// In display order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Admin, Self::Operator, Self::Auditor, Self::Gateway, Self::BackupService, Self::BackupCreator];

    /// The role's name in requests and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Gateway => "gateway",
            Self::BackupService => "backup-service",
            Self::BackupCreator => "backup-creator",
        }
    }

    /// The role with this name, if there is one.
    pub(crate) fn from_text(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    pub(crate) fn permissions(self) -> Arc<BTreeSet<String>> {
        let list = match self {
            Self::Admin => return Arc::clone(&ADMIN),
            Self::Operator => OPERATOR,
            Self::Auditor => AUDITOR,
            Self::Gateway => GATEWAY,
            Self::BackupService => BACKUP_SERVICE,
            Self::BackupCreator => BACKUP_CREATOR,
        };
        Arc::new(list.iter().map(|permission| (*permission).to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_holds_permissions_that_exist() {
        for role in Role::ALL {
            let held = role.permissions();
            assert!(!held.is_empty(), "{role:?}");
            assert!(
                held.is_subset(&ADMIN),
                "{role:?} holds what no method asks for: {:?}",
                held.difference(&ADMIN)
            );
            assert_eq!(Role::from_text(role.as_str()), Some(role));
        }
        assert!(Role::from_text("root").is_none());
    }

    #[test]
    fn a_narrowed_token_holds_only_what_selectors_bind() {
        let admin = Role::Admin.permissions();
        let left = narrowed(&admin);
        let expected = NARROWABLE.iter().map(|permission| (*permission).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(*left, expected, "each of them exists");
        for around in ["source.read", "key.export_ring", "audit.list", "token.list", "backup.export"] {
            assert!(admin.contains(around) && !left.contains(around), "{around}");
        }
    }

    #[test]
    fn duties_are_separate() {
        let held = |role: Role, permission: &str| role.permissions().contains(permission);
        for role in [Role::Operator, Role::Auditor, Role::BackupCreator, Role::BackupService] {
            for opening in ["credential.reveal", "reference.resolve"] {
                assert!(!held(role, opening), "{role:?} must not see secrets");
            }
            assert!(!held(role, "crypto.decrypt"), "{role:?} must not see values");
        }
        assert!(held(Role::BackupService, "crypto.rewrap"), "which answers ciphertexts alone");
        for opening in ["crypto.decrypt", "crypto.encrypt", "crypto.generate_data_key"] {
            assert!(
                !held(Role::BackupService, opening),
                "who seals anew neither sees nor makes values: {opening}"
            );
        }
        for role in [Role::Operator, Role::Auditor, Role::Gateway, Role::BackupCreator] {
            assert!(!held(role, "archive.open"), "{role:?} must not read archives");
            assert!(!held(role, "audit.record") && !held(role, "token.issue"), "{role:?}");
            for choice in EXPORT_CHOICES {
                assert!(!held(role, choice), "{role:?} must not choose who reads an export: {choice}");
            }
            assert!(!held(role, "tables.export"), "{role:?} must not read tables in the clear");
            assert!(!held(role, "crypto.check"), "{role:?}");
            for signing in ["crypto.sign_manifest", "crypto.sign_sidecar"] {
                assert!(!held(role, signing), "{role:?} must not sign in the service's name: {signing}");
            }
        }
        for role in [Role::Auditor, Role::Gateway, Role::BackupService, Role::BackupCreator] {
            for change in ["backup.delete", "backup.hold", "backup.download", "backup.scan"] {
                assert!(!held(role, change), "{role:?} neither takes backups away nor reads them: {change}");
            }
        }
        assert!(!held(Role::BackupCreator, "backup.verify"), "it makes archives, and learns nothing of them");
        for role in [Role::Auditor, Role::Gateway, Role::BackupService] {
            assert!(!held(role, "backup.create"), "{role:?} fills no storage");
        }
        for role in [Role::Auditor, Role::Gateway, Role::BackupService, Role::BackupCreator] {
            for change in ["tables.import", "source.reencrypt"] {
                assert!(!held(role, change), "{role:?} writes to no database: {change}");
            }
        }
    }
}
