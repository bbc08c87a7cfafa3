//! Restores in the form of the service.

use strongroom_api::backup::v1::*;

use super::fake::ID;

pub(super) const SAFETY: &str = "0197e0a1-0000-7000-8000-00000000000f";

pub(super) fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_893_456_000 + seconds, nanos: 0 })
}

pub(super) fn restore(state: RestoreState) -> Restore {
    Restore {
        id: ID.into(),
        state: state.into(),
        creator: "token:t1".into(),
        create_time: at(0),
        expire_time: at(86_400),
        mode: RestoreMode::Replace.into(),
        sources: vec!["gateway".into()],
        confirm: "gateway".into(),
        archive_id: "0197e0a1-0000-7000-8000-00000000000b".into(),
        file_name: "app-backup-2026-05-06-101422.zip.age".into(),
        archive_time: at(-3600),
        plan: Some(plan()),
        ..Restore::default()
    }
}

/// A plan with every kind of content.
pub(super) fn plan() -> RestorePlan {
    let passed = |level: VerifyLevel| LevelVerdict {
        level: level.into(),
        outcome: VerifyOutcome::Passed.into(),
        problem: String::new(),
    };
    let levels = [VerifyLevel::Framing, VerifyLevel::Signature, VerifyLevel::Content, VerifyLevel::Values];
    RestorePlan {
        levels: levels.into_iter().map(passed).collect(),
        sources: vec![gateway()],
        values: 1204,
        ..RestorePlan::default()
    }
}

fn gateway() -> SourcePlan {
    SourcePlan {
        source: "gateway".into(),
        kind: "postgres".into(),
        engine: "PostgreSQL 15.18".into(),
        tables: vec![
            endpoints(),
            TablePlan { table: "users".into(), rows: 7, kept: 7, ..TablePlan::default() },
        ],
        warnings: vec!["the materialized view stats is stale afterwards".into()],
        writers_wait: Some(prost_types::Duration { seconds: 1, nanos: 800_000_000 }),
        needed_bytes: 12 << 20,
        fingerprint: "ab".into(),
        ..SourcePlan::default()
    }
}

fn endpoints() -> TablePlan {
    let example =
        |change: RowChange, key: u32| RowExample { change: change.into(), key: format!("[\"{key}\"]") };
    let created = (1..=5).map(|key| example(RowChange::Created, key));
    let others = [example(RowChange::Changed, 80), example(RowChange::Deleted, 90)];
    TablePlan {
        table: "endpoints".into(),
        rows: 1010,
        created: 10,
        changed: 1,
        deleted: 3,
        kept: 999,
        examples: created.chain(others).collect(),
        ..TablePlan::default()
    }
}

pub(super) fn step(source: &str, step: &str, seconds: i64) -> RestoreStep {
    RestoreStep { time: at(seconds), source: source.into(), step: step.into() }
}

/// An applied restore that can be undone.
pub(super) fn applied() -> Restore {
    Restore {
        rollback_expire_time: at(90_000),
        end_time: at(30),
        steps: vec![step("", "safety-backup", 10), step("gateway", "swapped", 29)],
        safety_backup_id: SAFETY.into(),
        paused: Some(prost_types::Duration { seconds: 0, nanos: 40_000_000 }),
        ..restore(RestoreState::Applied)
    }
}
