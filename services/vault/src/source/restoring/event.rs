//! The event of a commit: whoever granted it is the actor, and the service is what they acted through.

use strongroom_runtime::Caller;

use super::Terms;
use crate::access::Granted;
use crate::audit::Event;
use crate::store::NewEvent;

/// Whoever granted is the actor; the service is what they acted through.
pub(super) fn acting(caller: &Caller, granted: &Granted) -> Caller {
    let mut acting = caller.clone();
    acting.principal.id.clone_from(&granted.principal);
    acting.principal.name.clone_from(&granted.name);
    acting
}

pub(super) fn applied(
    granter: &Caller,
    service: &Caller,
    now: i64,
    (terms, granted): (&Terms, &Granted),
) -> NewEvent {
    let event = Event::by(granter, now, "restore.applied", &terms.restore_id)
        .with("archive_id", terms.archive_id.as_str())
        .with("deployment_id", terms.deployment_id.as_str())
        .with("mode", serde_json::json!(terms.mode))
        .with("revived", serde_json::json!(terms.revive_ids))
        .with("old_head", serde_json::json!(terms.old_head))
        .with("grant", granted.id.as_str())
        .of_change()
        .finish();
    NewEvent { via: service.principal.id.clone(), ..event }
}
