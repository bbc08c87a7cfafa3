//! Which events services record, and by which permission of their caller: the table that keeps a service from writing
//! anything else into the audit log. A new kind of operation is one more entry.

use std::collections::BTreeSet;

use crate::error::{Error, Result};

/// What a service does by a permission of its caller.
struct Operation {
    permission: &'static str,
    started: Option<&'static str>,
    ended: &'static str,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        permission: "backup.export",
        started: Some("backup.export_started"),
        ended: "backup.exported",
    },
    Operation { permission: "backup.verify", started: None, ended: "backup.verified" },
];

/// Every caller can be refused, whatever it may do.
pub(crate) const DENIED: &str = "access.denied";

/// Those of `permissions` that a service needs delegated.
pub(super) fn delegable(permissions: &BTreeSet<String>) -> Vec<String> {
    let of_services = OPERATIONS.iter().map(|operation| operation.permission);
    of_services.filter(|permission| permissions.contains(*permission)).map(str::to_owned).collect()
}

/// Whether a service may record `event` for a caller that delegated `permissions`.
pub(super) fn allows(permissions: &[String], event: &str) -> bool {
    event == DENIED
        || OPERATIONS.iter().any(|operation| {
            operation.events().any(|own| own == event)
                && permissions.iter().any(|permission| permission == operation.permission)
        })
}

/// Refuses what is no event of services.
pub(super) fn check_event(field: &'static str, event: &str) -> Result<()> {
    let mut known: Vec<&str> = OPERATIONS.iter().flat_map(Operation::events).collect();
    known.push(DENIED);
    refuse_unless(known.contains(&event), field, &known)
}

/// Refuses what is no event that starts an operation, and the one that ends it.
pub(crate) fn check_operation(started: &str, ended: &str) -> Result<()> {
    let starts: Vec<&str> = OPERATIONS.iter().filter_map(|operation| operation.started).collect();
    refuse_unless(starts.contains(&started), "started_event", &starts)?;
    let ends = OPERATIONS.iter().filter(|operation| operation.started == Some(started));
    let ends: Vec<&str> = ends.map(|operation| operation.ended).collect();
    refuse_unless(ends.contains(&ended), "ended_event", &ends)
}

impl Operation {
    fn events(&self) -> impl Iterator<Item = &'static str> {
        self.started.into_iter().chain([self.ended])
    }
}

fn refuse_unless(good: bool, field: &'static str, known: &[&str]) -> Result<()> {
    if good {
        return Ok(());
    }
    Err(Error::Field { field, problem: format!("must be {}", known.join(" or ")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    #[test]
    fn each_event_needs_its_permission() {
        let export = ["backup.export".to_owned()];
        for (event, permissions, allowed) in [
            ("backup.export_started", &export[..], true),
            ("backup.exported", &export, true),
            ("backup.verified", &export, false),
            ("backup.exported", &[], false),
            ("access.denied", &[], true),
            ("credential.deleted", &export, false),
            ("", &export, false),
        ] {
            assert_eq!(allows(permissions, event), allowed, "{event} by {permissions:?}");
        }
    }

    #[test]
    fn the_vaults_own_events_are_none_of_services() {
        for event in ["backup.export_started", "backup.exported", "backup.verified", "access.denied"] {
            assert!(check_event("event", event).is_ok(), "{event}");
        }
        for event in ["credential.created", "token.issued", "backup.", "backup.other", "restore.applied", ""]
        {
            assert!(check_event("event", event).is_err(), "{event}");
        }
        assert!(check_operation("backup.export_started", "backup.exported").is_ok());
        for (started, ended) in [
            ("backup.exported", "backup.exported"),
            ("backup.export_started", "backup.verified"),
            ("access.denied", "backup.exported"),
        ] {
            assert!(check_operation(started, ended).is_err(), "{started} {ended}");
        }
    }

    #[test]
    fn what_is_delegated_is_a_permission_of_some_role() {
        let admin = Role::Admin.permissions();
        assert_eq!(delegable(&admin).len(), OPERATIONS.len(), "a permission that no method asks for");
        assert_eq!(delegable(&Role::Auditor.permissions()), ["backup.verify"]);
        assert!(delegable(&Role::Gateway.permissions()).is_empty());
    }
}
