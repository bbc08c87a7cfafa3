//! The service's report in addition to its dependencies: sources, stored backups, schedules, operations. `GetStatus`
//! and the page show the same report.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_api::status::v1 as proto;
use strongroom_api::time::timestamp;
use strongroom_runtime::Metrics;
use strongroom_runtime::admin::Sections;
use strongroom_runtime::admin::content::{Block, Cell, Mark, Section, Tone};
use strongroom_runtime::health::{Report, State};

use crate::backups::Overview;
use crate::metrics::{KindMetrics, Last, Outcome};
use crate::schedules::overview::{Fate, Overview as Schedules, Run};
use crate::source_watch::SourceWatch;
use crate::store::{BackupState, DrillRow, DrillState};

/// The service-specific part of the status.
pub(crate) struct BackupReport {
    pub(crate) sources: Arc<SourceWatch>,
    pub(crate) overview: Overview,
    pub(crate) schedules: Schedules,
    /// Each kind of operation, with its maximum number of concurrent operations.
    pub(crate) kinds: Vec<(KindMetrics, usize)>,
    pub(crate) metrics: Metrics,
}

impl Report for BackupReport {
    fn add(&self, status: &mut proto::Status) {
        for source in self.sources.states() {
            status.sources.push(proto::SourceState {
                name: source.name,
                kind: source.kind.to_owned(),
                state: proto::DependencyState::from(source.state).into(),
                reason: source.reason,
                since_time: Some(timestamp(source.since)),
            });
        }
        for place in self.overview.destinations() {
            status.destinations.push(proto::SourceState {
                name: place.name,
                kind: place.kind.to_owned(),
                state: proto::DependencyState::from(place.state).into(),
                reason: place.reason,
                since_time: Some(timestamp(place.since)),
            });
        }
        status.stored_backups = self.overview.totals().map(|totals| proto::StoredBackups {
            available: totals.count(BackupState::Available),
            failed: totals.count(BackupState::Failed),
            unverified: totals.count(BackupState::Unverified),
            bytes: totals.bytes,
            last_stored_time: totals.last_stored.map(timestamp),
            last_verified_time: totals.last_verified.map(timestamp),
        });
        for seen in self.schedules.all() {
            let drill = seen.drill.as_ref();
            status.schedules.push(proto::ScheduleState {
                state: seen.state.to_owned(),
                next_start_time: seen.next_start.map(timestamp),
                last_stored_time: seen.last_stored.map(timestamp),
                last_verified_time: seen.last_verified.map(timestamp),
                last_drill_time: drill.map(|drill| timestamp(drill.create_time)),
                last_drill_passed: drill.is_some_and(|drill| drill.state == DrillState::Passed),
                name: seen.name,
            });
        }
        for (kind, _) in &self.kinds {
            let Some(last) = kind.last() else { continue };
            status.last_operations.push(proto::LastOperation {
                kind: kind.kind().to_owned(),
                target: last.target,
                end_time: Some(timestamp(last.end_time)),
                succeeded: last.outcome == Outcome::Success,
                reason: last.reason.to_owned(),
                success_time: last.success_time.map(timestamp),
            });
        }
    }
}

#[async_trait]
impl Sections for BackupReport {
    async fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.sources(), self.stored(), self.schedules(), self.operations()];
        if let Some(now) = self.metrics.certificates() {
            let facts = vec![("Expires", Cell::Time(now.not_after.checked_mul(1_000_000)))];
            sections.push(Section { title: "Certificate", blocks: vec![Block::Facts(facts)] });
        }
        sections
    }
}

impl BackupReport {
    fn sources(&self) -> Section {
        let rows = self.sources.states().into_iter().map(|source| {
            let (tone, text) = match source.state {
                State::Ok => (Tone::Good, "readable"),
                State::Starting => (Tone::Quiet, "starting"),
                State::Failing => (Tone::Bad, "not readable"),
            };
            vec![
                Cell::Text(source.name),
                Cell::text(source.kind),
                Cell::State(tone, text.to_owned()),
                Cell::Time(Some(source.since)),
                Cell::Text(source.reason),
            ]
        });
        let headings = vec!["Source", "Kind", "State", "Since", "Reason"];
        Section { title: "Sources", blocks: vec![Block::Table { headings, rows: rows.collect() }] }
    }

    fn stored(&self) -> Section {
        let rows = self.overview.destinations().into_iter().map(|place| {
            let (tone, text) = match place.state {
                State::Ok => (Tone::Good, "usable"),
                State::Starting => (Tone::Quiet, "starting"),
                State::Failing => (Tone::Bad, "not usable"),
            };
            vec![
                Cell::Text(place.name),
                Cell::text(place.kind),
                Cell::State(tone, text.to_owned()),
                Cell::Time(Some(place.since)),
                Cell::Text(place.reason),
            ]
        });
        let headings = vec!["Destination", "Kind", "State", "Since", "Reason"];
        let mut blocks = vec![Block::Table { headings, rows: rows.collect() }];
        match self.overview.totals() {
            Some(totals) => {
                let count = |state| Cell::Text(totals.count(state).to_string());
                blocks.insert(
                    0,
                    Block::Facts(vec![
                        ("Available", count(BackupState::Available)),
                        ("Failed", count(BackupState::Failed)),
                        ("Being deleted", count(BackupState::Deleting)),
                        ("Unverified", count(BackupState::Unverified)),
                        ("Bytes", Cell::Text(totals.bytes.to_string())),
                        ("Last stored", Cell::Time(totals.last_stored)),
                        ("Last verified", Cell::Time(totals.last_verified)),
                    ]),
                );
            }
            None => blocks.push(Block::Note("The catalogue has not been read yet.".to_owned())),
        }
        Section { title: "Stored backups", blocks }
    }

    fn schedules(&self) -> Section {
        let all = self.schedules.all();
        if all.is_empty() {
            let none = "There is none. `strongroom schedule create` makes one.".to_owned();
            return Section { title: "Schedules", blocks: vec![Block::Note(none)] };
        }
        let rows = all.into_iter().map(|seen| {
            let state = match seen.state {
                active @ "active" => (Tone::Good, active),
                paused @ "paused" => (Tone::Quiet, paused),
                orphaned @ "orphaned" => (Tone::Fair, orphaned),
                failing => (Tone::Bad, failing),
            };
            vec![
                Cell::Text(seen.name),
                Cell::State(state.0, state.1.to_owned()),
                Cell::Timeline(seen.runs.iter().map(mark).collect()),
                Cell::Time(seen.next_start),
                Cell::Time(seen.last_stored),
                Cell::Time(seen.last_verified),
                seen.drill.as_ref().map_or(Cell::text(""), drill),
                Cell::Time(seen.drill.map(|drill| drill.create_time)),
            ]
        });
        let headings = vec![
            "Schedule",
            "State",
            "Last runs",
            "Next run",
            "Newest stored",
            "Newest verified",
            "Last drill",
            "Drilled",
        ];
        let note = "Runs from the oldest to the newest. Green: stored, and verified since; grey: stored; red: failed, or damaged.";
        let table = Block::Table { headings, rows: rows.collect() };
        Section { title: "Schedules", blocks: vec![table, Block::Note(note.to_owned())] }
    }

    fn operations(&self) -> Section {
        let rows = self.kinds.iter().map(|(kind, limit)| {
            let running = match kind.running() {
                0 => Cell::text("none"),
                running => Cell::State(Tone::Good, format!("{running} of {limit}")),
            };
            let last = kind.last();
            let target = last.as_ref().map(|last| last.target.clone()).unwrap_or_default();
            vec![
                Cell::text(kind.kind()),
                running,
                last.as_ref().map_or(Cell::text("none yet"), outcome),
                Cell::Time(last.as_ref().map(|last| last.end_time)),
                Cell::Time(last.as_ref().and_then(|last| last.success_time)),
                Cell::Text(target),
            ]
        });
        let headings = vec!["Operation", "Running", "Last", "Ended", "Last success", "File"];
        let note = "Of this process, since it started.".to_owned();
        let table = Block::Table { headings, rows: rows.collect() };
        Section { title: "Operations", blocks: vec![table, Block::Note(note)] }
    }
}

fn mark(run: &Run) -> Mark {
    let (tone, text) = match run.fate {
        Fate::Verified => (Tone::Good, "stored and verified".to_owned()),
        Fate::Stored => (Tone::Quiet, "stored".to_owned()),
        Fate::Damaged => (Tone::Bad, "its last verification failed".to_owned()),
        Fate::Failed => (Tone::Bad, format!("failed: {}", run.reason)),
    };
    Mark { time: run.time, tone, text }
}

fn drill(drill: &DrillRow) -> Cell {
    match drill.state {
        DrillState::Passed => Cell::State(Tone::Good, "passed".to_owned()),
        _ => Cell::State(Tone::Bad, "failed".to_owned()),
    }
}

fn outcome(last: &Last) -> Cell {
    match (last.outcome, last.reason) {
        (Outcome::Success, _) => Cell::State(Tone::Good, "succeeded".to_owned()),
        (Outcome::Failed, "") => Cell::State(Tone::Bad, "found damage".to_owned()),
        (Outcome::Failed, reason) => Cell::State(Tone::Bad, format!("failed: {reason}")),
        (Outcome::Aborted, reason) => Cell::State(Tone::Fair, format!("aborted: {reason}")),
    }
}
