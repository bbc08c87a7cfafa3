//! Replicas on one database, and the events that affect them.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_runtime::Clock;

use super::super::{Maker, Running};
use super::{BEGIN, DAY, HOUR};
use crate::backups::Run;
use crate::backups::record::to_json;
use crate::error::{Error, Result, ScheduleError};
use crate::schedules::cron::delay;
use crate::schedules::history;
use crate::schedules::rules::Rules;
use crate::store::{
    BackupFilter, BackupRow, BackupState, OperationRow, ProcessRow, Replaced, ScheduleRow, Store,
    StoredBackup,
};

const MINUTE: i64 = HOUR / 60;

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::try_from(end).unwrap()) as i64
    }
}

#[derive(Debug)]
struct Virtual(AtomicI64);

impl Clock for Virtual {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A backup being made: its replica, its operation, and its end time.
struct Making {
    replica: usize,
    operation: OperationRow,
    end: i64,
}

/// The pending write of a replica that was stopped.
struct Asleep {
    replica: usize,
    run: Run,
    backup: StoredBackup,
    operation: OperationRow,
}

/// State shared by all replicas in addition to the database.
struct Shared {
    random: Random,
    /// The process id of each replica.
    owners: [String; 3],
    making: Vec<Making>,
    asleep: Vec<Asleep>,
    is_quiet: bool,
    lengths: Range<i64>,
    away: Range<i64>,
}

/// Makes backups as rows only.
struct Replica {
    number: usize,
    store: Arc<dyn Store>,
    clock: Arc<Virtual>,
    shared: Arc<Mutex<Shared>>,
}

impl Replica {
    fn rows(&self, schedule: &ScheduleRow, run: &Run) -> (StoredBackup, OperationRow) {
        let now = self.clock.now_micros();
        let failed = history::failed(schedule, (0, now), ("", ""));
        let row =
            BackupRow { state: BackupState::Creating, end_time: None, due_time: run.due_time, ..failed };
        let operation = OperationRow {
            id: row.id.clone(),
            kind: "create".into(),
            owner: self.shared.lock().unwrap().owners[self.number].clone(),
            fence: 1,
            delegation: Vec::new(),
            target: String::new(),
            trace_id: String::new(),
            start_time: now,
        };
        (StoredBackup { row, copies: Vec::new() }, operation)
    }

    /// Whether the event happens now, with a probability of one in `times`.
    fn strikes(&self, times: i64) -> bool {
        let mut shared = self.shared.lock().unwrap();
        !shared.is_quiet && shared.random.below(times) == 0
    }
}

#[async_trait]
impl Maker for Replica {
    async fn begin(&self, schedule: &ScheduleRow, _: &Rules, run: &mut Run) -> Result<()> {
        let now = self.clock.now_micros();
        if self.shared.lock().unwrap().away.contains(&now) || self.strikes(30) {
            return Err(Error::Defect("the vault is away".into()));
        }
        let (backup, operation) = self.rows(schedule, run);
        if self.strikes(40) {
            let asleep = Asleep { replica: self.number, run: run.clone(), backup, operation };
            self.shared.lock().unwrap().asleep.push(asleep);
            return Err(ScheduleError::Taken.into());
        }
        match self.store.begin_run(&run.turn, &backup, &operation).await? {
            Replaced::Done => {
                let mut shared = self.shared.lock().unwrap();
                let Range { start, end } = shared.lengths;
                let end = now + start + shared.random.below(end - start);
                shared.making.push(Making { replica: self.number, operation, end });
                Ok(())
            }
            Replaced::Stale => Err(ScheduleError::Taken.into()),
            Replaced::Fenced => Err(Error::Fenced),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Serving,
    /// Another process takes its place at this time.
    Dead(i64),
    /// It continues at this time.
    Stopped(i64),
}

pub(super) struct World {
    pub(super) store: Arc<dyn Store>,
    clock: Arc<Virtual>,
    shared: Arc<Mutex<Shared>>,
    replicas: Vec<Running>,
    conditions: [Condition; 3],
    /// Durations of backups.
    pub(super) lengths: Range<i64>,
    /// Period in which nothing can begin.
    pub(super) away: Range<i64>,
    /// Times at which replicas checked.
    pub(super) looks: Vec<i64>,
    /// Number of writes refused to replicas that came too late.
    pub(super) refused: usize,
}

impl World {
    pub(super) async fn new(store: Arc<dyn Store>, seed: u64) -> Self {
        let clock = Arc::new(Virtual(AtomicI64::new(BEGIN)));
        let shared = Arc::new(Mutex::new(Shared {
            random: Random(seed),
            owners: Default::default(),
            making: Vec::new(),
            asleep: Vec::new(),
            is_quiet: true,
            lengths: 0..1,
            away: 0..0,
        }));
        let replicas = (0..3).map(|number| {
            let (store, shared, time) = (Arc::clone(&store), Arc::clone(&shared), Arc::clone(&clock));
            let maker = Replica { number, store: Arc::clone(&store), clock: time, shared };
            let clock: Arc<dyn Clock> = Arc::<Virtual>::clone(&clock);
            Running { store, clock, maker: Arc::new(maker), not_made_up: AtomicI64::new(0) }
        });
        let replicas = replicas.collect();
        let mut world = Self {
            store,
            clock,
            shared,
            replicas,
            conditions: [Condition::Serving; 3],
            lengths: MINUTE..40 * MINUTE,
            away: 0..0,
            looks: Vec::new(),
            refused: 0,
        };
        for number in 0..3 {
            world.join(number).await;
        }
        world
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    fn random(&self, end: i64) -> i64 {
        self.shared.lock().unwrap().random.below(end)
    }

    /// Adds a schedule, `s0`, `s1`, …
    pub(super) async fn schedule(&mut self, zone: &str, cron: &str, jitter: i64) {
        let rules = Rules { cron: cron.into(), time_zone: zone.into(), jitter, ..Rules::default() };
        let due_time = rules.clock().unwrap().after(self.now()).unwrap();
        let name = format!("s{}", self.store.schedules().await.unwrap().len());
        let row = ScheduleRow {
            rules: to_json(&rules),
            creator: "token:a".into(),
            delegation: Vec::new(),
            create_time: self.now(),
            paused: false,
            orphan_time: None,
            due_time,
            start_time: due_time + delay(&name, due_time, jitter),
            reason: String::new(),
            problem: String::new(),
            verifying_time: None,
            revision: 1,
            name,
        };
        self.store.create_schedule(&row).await.unwrap();
    }

    /// All runs, by due time.
    pub(super) async fn runs(&self) -> Vec<BackupRow> {
        let found = self.store.backups(&BackupFilter::default(), i64::MAX).await.unwrap();
        let mut runs: Vec<BackupRow> = found.into_iter().map(|stored| stored.row).collect();
        runs.sort_by_key(|run| run.due_time);
        runs
    }

    pub(super) fn set_back(&self, by: i64) {
        self.clock.0.fetch_sub(by, Ordering::SeqCst);
    }

    /// Runs without faults.
    pub(super) async fn quiet_until(&mut self, end: i64) {
        self.live(end, true).await;
    }

    pub(super) async fn live_until(&mut self, end: i64) {
        self.live(end, false).await;
    }

    async fn live(&mut self, end: i64, is_quiet: bool) {
        {
            let mut shared = self.shared.lock().unwrap();
            shared.is_quiet = is_quiet;
            (shared.lengths, shared.away) = (self.lengths.clone(), self.away.clone());
        }
        while self.now() < end {
            if !is_quiet {
                self.fail().await;
            }
            self.end_backups().await;
            for number in 0..3 {
                if self.conditions[number] == Condition::Serving {
                    self.looks.push(self.now());
                    self.replicas[number].look().await.unwrap();
                }
            }
            let next = self.next_event(end).await;
            self.clock.0.store(next, Ordering::SeqCst);
        }
    }

    /// The next start or end, or some earlier time, at most half a day from now.
    async fn next_event(&self, end: i64) -> i64 {
        let now = self.now();
        let starts = self.store.schedules().await.unwrap().into_iter().map(|schedule| schedule.start_time);
        let ends: Vec<i64> = self.shared.lock().unwrap().making.iter().map(|making| making.end).collect();
        let next = starts.chain(ends).filter(|time| *time > now).min().unwrap_or(end);
        let soon = now + self.random(DAY / 2) + 1;
        next.min(soon).min(end)
    }

    /// Kills, stops and wakes replicas.
    async fn fail(&mut self) {
        let now = self.now();
        for number in 0..3 {
            match self.conditions[number] {
                Condition::Serving if self.random(150) == 0 => {
                    self.conditions[number] = Condition::Dead(now + self.random(4 * DAY));
                    self.forget(number);
                }
                Condition::Serving if self.random(100) == 0 => {
                    self.conditions[number] = Condition::Stopped(now + self.random(3 * DAY));
                }
                Condition::Dead(until) if until <= now => self.join(number).await,
                Condition::Stopped(until) if until <= now => self.wake(number).await,
                _ => {}
            }
        }
        if let Some(heir) = self.conditions.iter().position(|condition| *condition == Condition::Serving) {
            let processes = self.store.processes().await.unwrap();
            let heir = self.shared.lock().unwrap().owners[heir].clone();
            let serving: Vec<String> = (0..3)
                .filter(|number| self.conditions[*number] == Condition::Serving)
                .map(|number| self.shared.lock().unwrap().owners[number].clone())
                .collect();
            for process in processes.iter().filter(|process| !serving.contains(&process.id)) {
                self.bury(&process.id, &heir).await;
            }
        }
    }

    /// A killed process does nothing any more.
    fn forget(&self, number: usize) {
        let mut shared = self.shared.lock().unwrap();
        shared.making.retain(|making| making.replica != number);
        shared.asleep.retain(|asleep| asleep.replica != number);
    }

    async fn join(&mut self, number: usize) {
        let id = uuid::Uuid::now_v7().to_string();
        let (host, heir) = (String::new(), String::new());
        let row = ProcessRow { id: id.clone(), host, beat: 0, start_time: self.now(), heir };
        self.store.register_process(&row).await.unwrap();
        self.shared.lock().unwrap().owners[number] = id;
        self.conditions[number] = Condition::Serving;
    }

    /// Declares a process dead, ends the backups that it was making, and removes it.
    async fn bury(&mut self, dead: &str, heir: &str) {
        self.store.take_over(dead, 0, heir).await.unwrap();
        for operation in self.store.operations(dead).await.unwrap() {
            let ended = self.end(&operation, (BackupState::Failed, "PROCESS_DIED")).await;
            assert_ne!(ended, Replaced::Fenced);
            assert!(self.store.end_operation(&operation).await.unwrap());
        }
        assert!(self.store.leave(dead).await.unwrap());
    }

    /// A stopped replica continues where it was, and only then learns whether it was declared dead.
    async fn wake(&mut self, number: usize) {
        let (asleep, making) = {
            let mut shared = self.shared.lock().unwrap();
            let asleep: Vec<Asleep> =
                shared.asleep.extract_if(.., |asleep| asleep.replica == number).collect();
            let making: Vec<Making> =
                shared.making.extract_if(.., |making| making.replica == number).collect();
            (asleep, making)
        };
        let owner = self.shared.lock().unwrap().owners[number].clone();
        let processes = self.store.processes().await.unwrap();
        let serves = processes.iter().any(|process| process.id == owner && process.serves());
        for Asleep { run, backup, operation, .. } in asleep {
            match self.store.begin_run(&run.turn, &backup, &operation).await {
                Ok(Replaced::Done) => {
                    assert!(serves, "a run was begun by a replica that had been declared dead");
                    let end = self.now() + MINUTE;
                    self.shared.lock().unwrap().making.push(Making { replica: number, operation, end });
                }
                Ok(Replaced::Fenced | Replaced::Stale) | Err(_) => self.refused += 1,
            }
        }
        for made in making {
            match self.end(&made.operation, (BackupState::Available, "")).await {
                Replaced::Done => {
                    assert!(serves, "a backup was ended by a replica that had been declared dead");
                    assert!(self.store.end_operation(&made.operation).await.unwrap());
                }
                Replaced::Fenced | Replaced::Stale => self.refused += 1,
            }
        }
        if serves {
            self.conditions[number] = Condition::Serving;
        } else {
            self.join(number).await;
        }
    }

    /// Ends backups that have reached their end time and whose replica serves.
    async fn end_backups(&mut self) {
        let (now, conditions) = (self.now(), self.conditions);
        let due: Vec<Making> = {
            let mut shared = self.shared.lock().unwrap();
            let is_due =
                |making: &mut Making| making.end <= now && conditions[making.replica] == Condition::Serving;
            shared.making.extract_if(.., is_due).collect()
        };
        for made in due {
            assert_eq!(self.end(&made.operation, (BackupState::Available, "")).await, Replaced::Done);
            assert!(self.store.end_operation(&made.operation).await.unwrap());
        }
    }

    async fn end(&self, operation: &OperationRow, (state, reason): (BackupState, &str)) -> Replaced {
        let mut row = self.store.backup(&operation.id).await.unwrap().unwrap().row;
        let expected = row.revision;
        if row.state != BackupState::Creating {
            return Replaced::Stale;
        }
        (row.state, row.reason, row.end_time) = (state, reason.to_owned(), Some(self.now()));
        row.revision += 1;
        self.store.replace(&row, expected, &[], Some(operation)).await.unwrap()
    }
}
