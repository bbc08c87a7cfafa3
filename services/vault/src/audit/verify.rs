//! Verifies the log and the rows that grant access (`rows`). The chain is recomputed from its beginning, or from the
//! checkpoint up to which events were removed, and compared with the head and with a head that was saved outside the
//! vault.
//!
//! One change of the log is one problem. After an event that does not fit, the chain continues from the MAC that the
//! event carries. Events that do not fit are kept until the end, because only the rest of the log shows whether an
//! event was edited, swapped with another, or inserted.

mod finding;
mod foreign;
mod rows;
mod suspects;

use std::collections::HashMap;

use strongroom_crypto::{KeyRing, Kid};
use strongroom_runtime::Caller;

use super::{Audit, Event};
use crate::error::{Error, Result};
use crate::store::chain::START;
use crate::store::{AuditHead, ChainKey, ChainReader, ChainedRow, CheckpointRow, Examined, Outcome};
pub(crate) use finding::{Anchor, Verification};
use finding::{Problem, Reason};
use foreign::ForeignAnchor;
use rows::Changes;
use suspects::{Suspect, Suspects};

/// Maximum number of problems in an answer.
const MAX_PROBLEMS: usize = 100;

impl Audit {
    /// Verifies the complete log with the keys in `ring`, and records the verification. The answer is given even if the
    /// log cannot be written, because it is needed most then.
    pub(crate) async fn verify(
        &self,
        caller: &Caller,
        ring: &KeyRing,
        anchor: Option<Anchor>,
    ) -> Result<Verification> {
        let chain = self.chain().await?;
        let is_own = |anchor: &Anchor| anchor.chain.is_empty() || anchor.chain == chain;
        let (anchor, foreign) = match anchor {
            Some(anchor) if !is_own(&anchor) => (None, Some(ForeignAnchor::new(anchor))),
            anchor => (anchor, None),
        };
        let mut verifier = Verifier::new(ring, anchor);
        verifier.foreign = foreign;
        self.store.read_chain(&mut verifier).await?;
        let found = verifier.finish()?;
        let outcome = if found.problems.is_empty() { Outcome::Success } else { Outcome::Failed };
        let event = Event::by(caller, self.now(), "audit.verified", "")
            .outcome(outcome)
            .with("events", found.events)
            .with("last_sequence", found.last_sequence)
            .with("problems", found.problems.len());
        if let Err(error) = self.store.append_event(&event.finish()).await {
            tracing::error!(%error, result = outcome.as_str(), "a verification could not be recorded");
        }
        Ok(found)
    }
}

/// Reads the log once, in order.
struct Verifier<'r> {
    ring: &'r KeyRing,
    keys: HashMap<String, Option<ChainKey>>,
    anchor: Option<Anchor>,
    head: Option<AuditHead>,
    checkpoint: i64,
    found: Verification,
    /// The next expected sequence.
    next: i64,
    /// Possible MACs of the event before the next one; empty if unknown.
    previous: Vec<Vec<u8>>,
    /// Difference from the stored sequences to the original ones, where events were inserted (negative) or removed
    /// (positive) and the later ones renumbered.
    shift: i64,
    suspects: Suspects,
    /// Whether the previous event had no MAC that can be checked.
    unchained: bool,
    changes: Changes,
    /// Rows with wrong MACs, and rows that differ from the log.
    tampered: Vec<Problem>,
    replayed: Vec<Problem>,
    /// The given head, if it belongs to another log.
    foreign: Option<ForeignAnchor>,
}

impl<'r> Verifier<'r> {
    fn new(ring: &'r KeyRing, anchor: Option<Anchor>) -> Self {
        Self {
            ring,
            keys: HashMap::new(),
            anchor,
            head: None,
            checkpoint: 0,
            found: Verification::default(),
            next: 1,
            previous: vec![START.to_vec()],
            shift: 0,
            suspects: Suspects::default(),
            unchained: false,
            changes: Changes::default(),
            tampered: Vec::new(),
            replayed: Vec::new(),
            foreign: None,
        }
    }

    /// The problems found in the log.
    fn finish(mut self) -> Result<Verification> {
        let suspects = std::mem::take(&mut self.suspects);
        self.found.problems.extend(suspects.resolve());
        self.check_end()?;
        // A damaged log is no evidence about rows.
        if self.found.problems.is_empty() {
            self.found.problems.append(&mut self.replayed);
            self.found.problems.extend(self.changes.missing());
        }
        self.found.problems.append(&mut self.tampered);
        if let Some(foreign) = self.foreign.take() {
            match foreign.place() {
                Ok(note) => self.found.note = note,
                Err(problem) => self.found.problems.push(problem),
            }
        }
        self.found.problems.sort_by_key(|problem| problem.sequence);
        self.found.problems.truncate(MAX_PROBLEMS);
        Ok(self.found)
    }

    fn problem(&mut self, sequence: i64, reason: Reason, message: String) {
        // Problems are found nearly in the log's order; they are sorted and cut at the end.
        if self.found.problems.len() < 2 * MAX_PROBLEMS {
            self.found.problems.push(Problem { sequence, reason, message });
        }
    }

    fn key(&mut self, kid: &str) -> Option<ChainKey> {
        if let Some(known) = self.keys.get(kid) {
            return known.clone();
        }
        let opened = kid.parse::<Kid>().ok().and_then(|kid| ChainKey::version(self.ring, kid).ok());
        self.keys.insert(kid.to_owned(), opened.clone());
        opened
    }

    fn check_checkpoint(&mut self, row: CheckpointRow) {
        let code = self
            .key(&row.key_kid)
            .map(|key| key.checkpoint_code(row.sequence, &row.mac, row.time, row.removed).to_vec());
        if code.as_ref() != Some(&row.code) {
            let message = format!("the checkpoint at {} was not written by this vault", row.sequence);
            self.problem(row.sequence, Reason::Edited, message);
        }
        self.checkpoint = row.sequence;
        self.next = row.sequence + 1;
        self.found.mac.clone_from(&row.mac);
        self.previous = vec![row.mac];
    }

    /// False for an event before the log's beginning.
    fn check_place(&mut self, sequence: i64) -> bool {
        if sequence < self.next {
            let message = format!("the event {sequence} precedes the log's beginning at {}", self.next);
            self.problem(sequence, Reason::Inserted, message);
            return false;
        }
        if sequence > self.next {
            let message = match sequence - self.next {
                1 => format!("the event {} is gone", self.next),
                _ => format!("the events {} to {} are gone", self.next, sequence - 1),
            };
            self.problem(self.next, Reason::Missing, message);
            self.previous.clear();
        }
        true
    }

    fn check_code(&mut self, row: ChainedRow) {
        let (Some(mac), Some(kid)) = (row.mac.clone(), row.key_kid.clone()) else {
            return self.unchained(row.sequence, "carries no MAC: it was removed, or never made", None);
        };
        let Some(key) = self.key(&kid) else {
            let why = format!("names the key version {kid:?}, which this vault cannot use");
            return self.unchained(row.sequence, &why, Some(mac));
        };
        self.unchained = false;
        // After somebody renumbered events, the vault appends events with the numbers that follow the unchanged head.
        for shift in [self.shift, 0] {
            let place = row.sequence + shift;
            let fits = |previous: &Vec<u8>| key.event_code(previous, place, &row.event)[..] == mac;
            if self.previous.is_empty() || self.previous.iter().any(fits) {
                self.shift = shift;
                self.previous = vec![mac];
                return;
            }
        }
        let place = row.sequence + self.shift;
        let suspect = Suspect { place, previous: self.previous.clone(), key, mac, row };
        if let Some(shift) = self.suspects.renumbered_before(&suspect) {
            self.shift += shift;
            self.previous = vec![suspect.mac];
            return;
        }
        // Either the event was changed, or only its MAC.
        let recomputed = suspect.code_after(&suspect.previous[0]);
        self.previous = vec![suspect.mac.clone(), recomputed];
        self.suspects.push(suspect);
    }

    /// Reports one problem for a run of such events.
    fn unchained(&mut self, sequence: i64, why: &str, mac: Option<Vec<u8>>) {
        if !self.unchained {
            let message = format!(
                "the event {sequence} {why}; so do those that follow, up to the next problem or chained event"
            );
            self.problem(sequence, Reason::Unchained, message);
        }
        self.unchained = true;
        self.previous = mac.into_iter().collect();
    }

    fn check_anchor(&mut self, sequence: i64, mac: Option<&[u8]>) {
        let Some(anchor) = self.anchor.take_if(|anchor| anchor.sequence == sequence) else { return };
        if mac != Some(&anchor.mac) {
            let message =
                format!("the event {sequence} is not the one that the anchored head was taken from");
            self.problem(sequence, Reason::AnchorMismatch, message);
        }
    }

    fn check_end(&mut self) -> Result<()> {
        let last = self.next - 1;
        let anchored = self.anchor.take().map_or(0, |anchor| anchor.sequence);
        if anchored != 0 && anchored < self.checkpoint {
            let problem = format!(
                "is too old: events up to {} were pruned; give a head that was stored later",
                self.checkpoint
            );
            return Err(Error::Field { field: "anchor_sequence", problem });
        }
        let head = self.head.take();
        let promised = head.as_ref().map_or(0, |head| head.sequence).max(anchored);
        if promised > last {
            let by = if anchored > last { "the anchored head" } else { "the head" };
            let message = format!("the log ends at {last}, but {by} says that it went on to {promised}");
            self.problem(last + 1, Reason::TailCut, message);
        }
        let message = match head {
            None => "the row that holds the head is gone".to_owned(),
            Some(head) if head.sequence < last => {
                format!("the head is at {}, but there are events up to {last}", head.sequence)
            }
            Some(head) if head.sequence == last && head.mac.as_deref() != Some(&self.found.mac) => {
                format!("the head's MAC differs from that of the last event, {last}")
            }
            Some(_) => return Ok(()),
        };
        self.problem(last, Reason::HeadMismatch, message);
        Ok(())
    }
}

impl ChainReader for Verifier<'_> {
    fn begin(&mut self, head: Option<AuditHead>, checkpoint: Option<CheckpointRow>) {
        self.head = head;
        if let Some(row) = checkpoint {
            self.check_checkpoint(row);
            let (sequence, mac) = (self.checkpoint, self.found.mac.clone());
            self.check_anchor(sequence, Some(&mac));
        }
    }

    fn event(&mut self, row: ChainedRow) {
        if self.found.events == 0 {
            self.found.first_sequence = row.sequence;
        }
        self.found.events += 1;
        if !self.check_place(row.sequence) {
            return;
        }
        self.changes.event(row.sequence, &row.event);
        if let Some(foreign) = &mut self.foreign {
            foreign.event(row.sequence, &row.event);
        }
        self.next = row.sequence + 1;
        self.found.last_sequence = row.sequence;
        self.found.mac = row.mac.clone().unwrap_or_default();
        self.check_anchor(row.sequence, row.mac.as_deref());
        self.check_code(row);
    }

    fn row(&mut self, row: Examined) {
        let Some(problem) = self.changes.check(&row, self.checkpoint == 0) else { return };
        let found = match problem.reason {
            Reason::Tampered => &mut self.tampered,
            _ => &mut self.replayed,
        };
        if found.len() < MAX_PROBLEMS {
            found.push(problem);
        }
    }
}

#[cfg(test)]
mod stored;
#[cfg(test)]
mod tests;
