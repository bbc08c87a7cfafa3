//! The events that services record, and the caller's permission that each needs. This table keeps a service from
//! writing anything else into the audit log. A new kind of operation is one more entry.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use Events::{Pair, Single};

/// The events of one permission.
struct Entry {
    permission: &'static str,
    events: Events,
}

enum Events {
    /// One event at the start of an operation and one at its end, joined by their `operation_id`.
    Pair { started: &'static str, ended: &'static str },
    /// Each event alone records an operation.
    Single(&'static [&'static str]),
}

const ENTRIES: &[Entry] = &[
    Entry {
        permission: "backup.create",
        events: Pair { started: "backup.create_started", ended: "backup.created" },
    },
    Entry { permission: "backup.delete", events: Single(&["backup.deleted", "backup.undeleted"]) },
    Entry {
        permission: "backup.download",
        events: Pair { started: "backup.download_started", ended: "backup.downloaded" },
    },
    Entry {
        permission: "backup.export",
        events: Pair { started: "backup.export_started", ended: "backup.exported" },
    },
    Entry { permission: "backup.hold", events: Single(&["backup.held", "backup.released"]) },
    Entry { permission: "backup.scan", events: Single(&["backup.scanned"]) },
    Entry { permission: "backup.verify", events: Single(&["backup.drilled", "backup.verified"]) },
    Entry {
        permission: "restore.apply",
        events: Pair { started: "restore.started", ended: "restore.completed" },
    },
    Entry { permission: "restore.plan", events: Single(&["restore.planned"]) },
    Entry {
        permission: "restore.rollback",
        events: Pair { started: "restore.rollback_started", ended: "restore.rolled_back" },
    },
    Entry { permission: "schedule.create", events: Single(&["schedule.created"]) },
    Entry { permission: "schedule.delete", events: Single(&["schedule.deleted"]) },
    Entry { permission: "schedule.pause", events: Single(&["schedule.paused", "schedule.resumed"]) },
    Entry {
        permission: "source.reencrypt",
        events: Pair { started: "source.reencrypt_started", ended: "source.reencrypted" },
    },
    Entry {
        permission: "tables.export",
        events: Pair { started: "tables.export_started", ended: "tables.exported" },
    },
    Entry {
        permission: "tables.import",
        events: Pair { started: "tables.import_started", ended: "tables.imported" },
    },
];

/// Events that a service records as its own acts, without a delegation: runs of schedules whose creators are gone.
const OWN: &[&str] = &[
    "backup.create_started",
    "backup.created",
    "backup.deleted",
    "backup.drilled",
    "backup.verified",
    ORPHANED,
];

/// Belongs to no caller's permission.
const ORPHANED: &str = "schedule.orphaned";

/// Needs no permission: every caller can be refused.
pub(crate) const DENIED: &str = "access.denied";

/// The subset of `permissions` that services record events by, and so need delegated.
pub(super) fn delegable(permissions: &BTreeSet<String>) -> Vec<String> {
    let of_services = ENTRIES.iter().map(|entry| entry.permission);
    of_services.filter(|permission| permissions.contains(*permission)).map(str::to_owned).collect()
}

/// Whether a service may record `event` for a caller that delegated `permissions`.
pub(super) fn allows(permissions: &[String], event: &str) -> bool {
    event == DENIED
        || ENTRIES.iter().any(|entry| {
            entry.events().any(|own| own == event)
                && permissions.iter().any(|permission| permission == entry.permission)
        })
}

/// Whether a service may record `event` as its own act.
pub(super) fn is_own(event: &str) -> bool {
    OWN.contains(&event)
}

/// Refuses an event that services do not record.
pub(super) fn check_event(field: &'static str, event: &str) -> Result<()> {
    let mut known: Vec<&str> = ENTRIES.iter().flat_map(Entry::events).collect();
    known.extend([ORPHANED, DENIED]);
    refuse_unless(known.contains(&event), field, &known)
}

/// Refuses the two events unless they are the start and the end of one kind of operation.
pub(crate) fn check_operation(started: &str, ended: &str) -> Result<()> {
    let pairs = || ENTRIES.iter().filter_map(Entry::pair);
    let starts: Vec<&str> = pairs().map(|(started, _)| started).collect();
    refuse_unless(starts.contains(&started), "started_event", &starts)?;
    let ends: Vec<&str> = pairs().filter(|(own, _)| *own == started).map(|(_, ended)| ended).collect();
    refuse_unless(ends.contains(&ended), "ended_event", &ends)
}

impl Entry {
    fn events(&self) -> impl Iterator<Item = &'static str> {
        let (pair, single) = match self.events {
            Pair { started, ended } => (Some([started, ended]), &[][..]),
            Single(events) => (None, events),
        };
        pair.into_iter().flatten().chain(single.iter().copied())
    }

    fn pair(&self) -> Option<(&'static str, &'static str)> {
        match self.events {
            Pair { started, ended } => Some((started, ended)),
            Single(_) => None,
        }
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

    /// Permissions with their events, from the comment of `RecordAuditEvent` in `audit.proto`.
    fn documented() -> Vec<(String, Vec<String>)> {
        let proto = include_str!("../../../../proto/strongroom/vault/v1/audit.proto");
        let lines = proto.lines().filter_map(|line| line.trim().strip_prefix("//     "));
        let rows =
            lines.filter_map(|line| line.split_once(' ')).filter(|(permission, _)| permission.contains('.'));
        rows.map(|(permission, events)| {
            let events = events.split(',').map(|event| event.trim().to_owned());
            (permission.to_owned(), events.collect())
        })
        .collect()
    }

    #[test]
    fn every_event_is_documented() {
        let sorted = |mut rows: Vec<(String, Vec<String>)>| {
            rows.sort();
            rows
        };
        let entry =
            |entry: &Entry| (entry.permission.to_owned(), entry.events().map(str::to_owned).collect());
        assert_eq!(sorted(documented()), sorted(ENTRIES.iter().map(entry).collect()));
    }

    #[test]
    fn each_event_needs_its_permission() {
        let documented = documented();
        let all: Vec<(&String, &String)> = documented
            .iter()
            .flat_map(|(permission, events)| events.iter().map(move |event| (permission, event)))
            .collect();
        for (permission, _) in &documented {
            let held = [permission.clone()];
            for (own, event) in &all {
                assert_eq!(allows(&held, event), *own == permission, "{event} by {permission}");
                assert!(!allows(&[], event), "{event} by nobody");
            }
            assert!(allows(&held, "access.denied") && !allows(&held, "credential.deleted"), "{permission}");
            assert!(!allows(&held, ""), "{permission}");
        }
        assert!(allows(&[], "access.denied"));
    }

    #[test]
    fn the_vaults_own_events_are_none_of_services() {
        for event in
            documented().into_iter().flat_map(|(_, events)| events).chain(["access.denied".to_owned()])
        {
            assert!(check_event("event", &event).is_ok(), "{event}");
        }
        for event in ["credential.created", "token.issued", "backup.", "backup.other", "restore.applied", ""]
        {
            assert!(check_event("event", event).is_err(), "{event}");
        }
    }

    #[test]
    fn an_operation_is_closed_by_its_own_end() {
        assert!(check_operation("backup.create_started", "backup.created").is_ok());
        assert!(check_operation("backup.export_started", "backup.exported").is_ok());
        for (started, ended) in [
            ("backup.exported", "backup.exported"),
            ("backup.export_started", "backup.verified"),
            ("backup.export_started", "backup.created"),
            ("backup.create_started", "backup.exported"),
            ("backup.create_started", "backup.deleted"),
            ("backup.held", "backup.released"),
            ("access.denied", "backup.exported"),
        ] {
            assert!(check_operation(started, ended).is_err(), "{started} {ended}");
        }
    }

    #[test]
    fn what_is_delegated_is_a_permission_of_some_role() {
        let admin = Role::Admin.permissions();
        assert_eq!(delegable(&admin).len(), ENTRIES.len(), "a permission that no method asks for");
        assert_eq!(delegable(&Role::Auditor.permissions()), ["backup.verify"]);
        assert_eq!(delegable(&Role::BackupCreator.permissions()), ["backup.create", "backup.export"]);
        assert!(delegable(&Role::Gateway.permissions()).is_empty());
    }
}
