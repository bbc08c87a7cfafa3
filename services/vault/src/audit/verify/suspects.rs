//! Events whose MAC does not fit, and the search for the cause.
//!
//! A fitting MAC is proof, because nobody can compute one without the key. Each guess is therefore checked with the
//! key.

use std::collections::BTreeMap;

use super::finding::{Problem, Reason};
use crate::store::{ChainKey, ChainedRow};

/// Maximum number of suspects: comparing them is quadratic, and an answer holds no more problems.
const MAX_SUSPECTS: usize = 100;
/// Maximum number of removed events that a renumbering is recognised for.
const MAX_RENUMBERED: i64 = 256;

/// An event whose MAC does not fit.
pub(super) struct Suspect {
    /// The sequence that its MAC was checked with.
    pub(super) place: i64,
    /// Possible MACs of the event before it.
    pub(super) previous: Vec<Vec<u8>>,
    pub(super) key: ChainKey,
    /// The MAC that it carries.
    pub(super) mac: Vec<u8>,
    pub(super) row: ChainedRow,
}

impl Suspect {
    /// The MAC that the event would have after `previous`.
    pub(super) fn code_after(&self, previous: &[u8]) -> Vec<u8> {
        self.key.event_code(previous, self.place, &self.row.event).to_vec()
    }

    /// Whether its MAC is that of the sequence `place` after `previous`.
    fn fits(&self, previous: &[u8], place: i64) -> bool {
        self.key.event_code(previous, place, &self.row.event)[..] == self.mac
    }
}

/// What is known about a suspect before the whole log has been read.
enum Verdict {
    Open,
    Inserted,
    Removed(i64),
}

/// Suspects by sequence.
#[derive(Default)]
pub(super) struct Suspects(BTreeMap<i64, (Suspect, Verdict)>);

impl Suspects {
    pub(super) fn push(&mut self, suspect: Suspect) {
        if self.0.len() < MAX_SUSPECTS {
            self.0.insert(suspect.row.sequence, (suspect, Verdict::Open));
        }
    }

    /// By how much the log was renumbered from `current` on; `None` if it was not.
    pub(super) fn renumbered_before(&mut self, current: &Suspect) -> Option<i64> {
        let inserted = self.inserted_before(current);
        inserted.map(|count| -count).or_else(|| self.removed_before(current))
    }

    /// Looks for a suspect, in the unbroken run of suspects directly before `current`, at whose place `current` fits.
    /// If there is one, it and the suspects between it and `current` were inserted. Returns their number.
    fn inserted_before(&mut self, current: &Suspect) -> Option<i64> {
        let mut first = current.row.sequence;
        while let Some((suspect, Verdict::Open)) = self.0.get(&(first - 1)) {
            first -= 1;
            let place = suspect.place;
            if !suspect.previous.iter().any(|previous| current.fits(previous, place)) {
                continue;
            }
            // If one of them belongs after `current`, nothing was inserted: events changed places.
            let mut between = self.0.range(first..current.row.sequence);
            if between.any(|(_, (other, _))| other.fits(&current.mac, place + 1)) {
                return None;
            }
            let count = current.row.sequence - first;
            for (_, verdict) in self.0.range_mut(first..).map(|(_, suspect)| suspect) {
                *verdict = Verdict::Inserted;
            }
            return Some(count);
        }
        None
    }

    /// Checks whether `current` fits after the suspect before it, but with a higher sequence. If so, events before that
    /// suspect were removed. Returns their number.
    fn removed_before(&mut self, current: &Suspect) -> Option<i64> {
        let (before, verdict) = self.0.get_mut(&(current.row.sequence - 1))?;
        let gone = (1..=MAX_RENUMBERED).find(|gone| current.fits(&before.mac, current.place + gone))?;
        *verdict = Verdict::Removed(gone);
        Some(gone)
    }

    /// The problems, in order. A suspect that fits once its neighbour is corrected is not a problem.
    pub(super) fn resolve(self) -> Vec<Problem> {
        let mut problems = Vec::new();
        // The original MACs at each place.
        let mut genuine: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
        for (&sequence, (suspect, verdict)) in &self.0 {
            let problem = |reason, message| Problem { sequence, reason, message };
            match verdict {
                Verdict::Inserted => {
                    let message =
                        format!("the event {sequence} was inserted; those after it were renumbered");
                    problems.push(problem(Reason::Inserted, message));
                    continue;
                }
                Verdict::Removed(gone) => {
                    let message =
                        format!("before the event {sequence}, {gone} were removed and the rest renumbered");
                    problems.push(problem(Reason::Missing, message));
                    continue;
                }
                Verdict::Open => {}
            }
            let previous = genuine.get(&(sequence - 1)).unwrap_or(&suspect.previous);
            if let Some(other) = self.owner_of(suspect, previous) {
                let message = format!("the events {sequence} and {} were swapped", other.row.sequence);
                problems.push(problem(Reason::Swapped, message));
                genuine.insert(sequence, vec![other.mac.clone(), suspect.mac.clone()]);
            } else if previous.iter().any(|previous| suspect.fits(previous, suspect.place)) {
                genuine.insert(sequence, vec![suspect.mac.clone()]);
            } else {
                let message = format!("the event {sequence} is not as it was written");
                problems.push(problem(Reason::Edited, message));
                genuine.insert(sequence, vec![suspect.mac.clone(), suspect.code_after(&previous[0])]);
            }
        }
        problems
    }

    /// Another suspect that belongs at the place of `suspect`, with its own MAC or with the MAC that was left there.
    fn owner_of(&self, suspect: &Suspect, previous: &[Vec<u8>]) -> Option<&Suspect> {
        let belongs = |other: &&Suspect| {
            previous.iter().any(|previous| {
                let code = other.key.event_code(previous, suspect.place, &other.row.event);
                code[..] == other.mac || code[..] == suspect.mac
            })
        };
        let others = self.0.values().map(|(other, _)| other);
        others.filter(|other| other.row.sequence != suspect.row.sequence).find(belongs)
    }
}
