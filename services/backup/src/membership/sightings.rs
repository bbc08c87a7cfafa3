//! When the counters of other processes were first seen with their current values.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::ProcessRow;

/// Counters of processes, each with the time when its value was first seen.
pub(super) struct Sightings {
    patience: Duration,
    seen: HashMap<String, (i64, Instant)>,
    /// When the last successful query was sent.
    last_look: Option<Instant>,
}

impl Sightings {
    pub(super) fn create(patience: Duration) -> Self {
        Self { patience, seen: HashMap::new(), last_look: None }
    }

    /// Records the counters of `others`, read by a query that was sent at `asked` and answered at `answered`. Returns
    /// the processes whose counter has not changed for at least `patience`.
    pub(super) fn still<'a>(
        &mut self,
        others: impl Iterator<Item = &'a ProcessRow>,
        (asked, answered): (Instant, Instant),
    ) -> Vec<&'a ProcessRow> {
        // This process was paused, or the database was unavailable: perhaps the others could not send heartbeats
        // either.
        if self.last_look.is_some_and(|last| asked - last >= self.patience) {
            self.seen.clear();
        }
        self.last_look = Some(asked);
        let before = std::mem::take(&mut self.seen);
        let mut still = Vec::new();
        for process in others {
            let known = before.get(&process.id).filter(|(beat, _)| *beat == process.beat);
            let since = known.map_or(answered, |(_, since)| *since);
            self.seen.insert(process.id.clone(), (process.beat, since));
            if asked.saturating_duration_since(since) >= self.patience {
                still.push(process);
            }
        }
        still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn process(beat: i64) -> ProcessRow {
        ProcessRow { id: "a".into(), host: "h".into(), beat, start_time: 0, heir: String::new() }
    }

    /// Looks at a process at these seconds, each with the counter found. Returns the seconds at which it counts as
    /// still.
    fn still_at(looks: &[(u32, i64)]) -> Vec<u32> {
        let (began, mut sightings) = (Instant::now(), Sightings::create(10 * SECOND));
        let still = looks.iter().filter(|(second, beat)| {
            let at = began + *second * SECOND;
            !sightings.still([process(*beat)].iter(), (at, at)).is_empty()
        });
        still.map(|(second, _)| *second).collect()
    }

    #[test]
    fn a_number_is_still_once_the_whole_patience_has_passed() {
        assert_eq!(still_at(&[(0, 1), (5, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 2)]), [10, 21]);
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        assert_eq!(still_at(&[(0, 1), (5, 1), (15, 1), (20, 1), (24, 1), (25, 1)]), [25]);
    }

    #[test]
    fn the_time_of_an_answer_does_not_count() {
        let (began, mut sightings) = (Instant::now(), Sightings::create(10 * SECOND));
        let found = [process(1)];
        let mut look = |asked: u32, answered: u32| {
            let times = (began + asked * SECOND, began + answered * SECOND);
            !sightings.still(found.iter(), times).is_empty()
        };
        assert!(!look(0, 4));
        assert!(!look(9, 15));
        assert!(!look(13, 14), "the number may have been raised at 4");
        assert!(look(14, 14));
    }

    #[test]
    fn a_process_that_is_gone_is_forgotten() {
        let (at, mut sightings) = (Instant::now(), Sightings::create(10 * SECOND));
        sightings.still([process(1)].iter(), (at, at));
        sightings.still([].iter(), (at, at));
        assert!(sightings.seen.is_empty());
    }
}
