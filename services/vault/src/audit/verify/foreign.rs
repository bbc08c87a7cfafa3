//! A head of another log: that of a vault whose rows were restored here. It proves nothing about this log; the event of
//! the restore tells where it belongs.

use serde_json::Value;

use super::finding::{Anchor, Problem, Reason};
use crate::store::NewEvent;

/// The head, and the restore that brought in the rows of its vault.
pub(super) struct ForeignAnchor {
    anchor: Anchor,
    restore: Option<Restore>,
}

/// A restore of the head's vault.
struct Restore {
    id: String,
    sequence: i64,
    archive_id: String,
    /// Sequence of the head's log when the archive was made.
    old_sequence: i64,
}

impl ForeignAnchor {
    pub(super) fn new(anchor: Anchor) -> Self {
        Self { anchor, restore: None }
    }

    /// Uses the first restore of an archive that was made after the head, or else the last restore of the head's log.
    pub(super) fn event(&mut self, sequence: i64, event: &NewEvent) {
        let is_found = self.restore.as_ref().is_some_and(|found| found.old_sequence >= self.anchor.sequence);
        if is_found || event.event != "restore.applied" || event.outcome != "success" {
            return;
        }
        let Ok(metadata) = serde_json::from_str::<Value>(&event.metadata) else { return };
        let head = &metadata["old_head"];
        if head["chain"].as_str() == Some(&self.anchor.chain) {
            self.restore = Some(Restore {
                id: event.target.clone(),
                sequence,
                archive_id: metadata["archive_id"].as_str().unwrap_or_default().to_owned(),
                old_sequence: head["sequence"].as_i64().unwrap_or_default(),
            });
        }
    }

    /// Describes where the head belongs.
    ///
    /// # Errors
    /// A problem if no restore here explains the head.
    pub(super) fn place(self) -> Result<String, Problem> {
        let Anchor { chain, sequence, .. } = self.anchor;
        let Some(Restore { id, sequence: at, archive_id, old_sequence }) = self.restore else {
            let message = format!(
                "the given head belongs to the log {chain}, which is not this vault's, and no restore here \
                 brought in that vault's rows"
            );
            return Err(Problem { sequence: 0, reason: Reason::AnchorMismatch, message });
        };
        let side = if sequence <= old_sequence { "not after" } else { "after" };
        Ok(format!(
            "the head at {sequence} belongs to the log {chain}, the one before the restore {id} (event {at} here). It was taken \
             {side} the archive {archive_id}, whose head of that log is {old_sequence}. `archive verify` and the archive's own \
             audit_logs check that log"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn restored(id: &str, sequence: i64) -> NewEvent {
        let metadata =
            json!({"archive_id": id, "old_head": {"chain": "old", "sequence": sequence}}).to_string();
        let (event, outcome) = ("restore.applied".to_owned(), "success".to_owned());
        NewEvent { event, outcome, target: id.to_owned(), metadata, ..NewEvent::default() }
    }

    /// Two archives of one log were restored; heads were taken before, between and after them.
    #[test]
    fn a_head_belongs_to_the_first_archive_that_was_made_after_it() {
        for (sequence, restore, side) in [
            (5, "first", "not after"),
            (10, "first", "not after"),
            (11, "second", "not after"),
            (21, "second", "after"),
        ] {
            let mut head = ForeignAnchor::new(Anchor { chain: "old".into(), sequence, mac: Vec::new() });
            head.event(1, &restored("first", 10));
            head.event(2, &restored("second", 20));
            head.event(3, &NewEvent { outcome: "failure".into(), ..restored("third", 30) });
            let place = head.place().unwrap_or_default();
            assert!(place.contains(&format!("the restore {restore} ")), "{sequence}: {place}");
            assert!(place.contains(&format!("taken {side} the archive")), "{sequence}: {place}");
        }
    }
}
