//! The event of a commit, in which the grantor acts through the service.

use strongroom_runtime::Caller;

use super::Terms;
use crate::access::Granted;
use crate::audit::Event;
use crate::store::NewEvent;

pub(super) fn applied(acting: &Caller, now: i64, (terms, granted): (&Terms, &Granted)) -> NewEvent {
    Event::by(acting, now, "restore.applied", &terms.restore_id)
        .with("archive_id", terms.archive_id.as_str())
        .with("deployment_id", terms.deployment_id.as_str())
        .with("mode", serde_json::json!(terms.mode))
        .with("revived", serde_json::json!(terms.revive_ids))
        .with("old_head", serde_json::json!(terms.old_head))
        .with("grant", granted.id.as_str())
        .of_change()
        .finish()
}
