//! A database in memory, which answers after a millisecond of the test's clock. With a real database, every timeout
//! would expire: tokio moves a paused clock forward while the test only waits for an answer from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use strongroom_store::Result;
use tokio::time::sleep;

use crate::store::{OperationRow, OperationStore, ProcessRow, ProcessStore};

const LATENCY: Duration = Duration::from_millis(1);

/// State shared by all connections.
pub(super) type Shared = Arc<Mutex<Tables>>;

#[derive(Default)]
pub(super) struct Tables {
    pub(super) processes: BTreeMap<String, ProcessRow>,
    pub(super) operations: Vec<OperationRow>,
}

/// How the database answers on one connection.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Line {
    Works,
    Refuses,
    Hangs,
}

pub(super) struct Fake {
    tables: Shared,
    line: Mutex<Line>,
}

impl Fake {
    pub(super) fn connect(database: &Shared) -> Self {
        Self { tables: Arc::clone(database), line: Mutex::new(Line::Works) }
    }

    pub(super) fn set(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }

    async fn tables(&self) -> Result<MutexGuard<'_, Tables>> {
        let line = *self.line.lock().unwrap();
        match line {
            Line::Works => {
                sleep(LATENCY).await;
                Ok(self.tables.lock().unwrap())
            }
            Line::Refuses => Err(sqlx::Error::PoolTimedOut.into()),
            Line::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl ProcessStore for Fake {
    async fn ping(&self) -> Result<()> {
        self.tables().await.map(drop)
    }

    async fn register_process(&self, process: &ProcessRow) -> Result<()> {
        self.tables().await?.processes.insert(process.id.clone(), process.clone());
        Ok(())
    }

    async fn beat(&self, id: &str) -> Result<bool> {
        let mut tables = self.tables().await?;
        let process = tables.processes.get_mut(id).filter(|process| process.serves());
        Ok(process.map(|process| process.beat += 1).is_some())
    }

    async fn processes(&self) -> Result<Vec<ProcessRow>> {
        Ok(self.tables().await?.processes.values().cloned().collect())
    }

    async fn leave(&self, id: &str) -> Result<bool> {
        let mut tables = self.tables().await?;
        let is_needed = tables.operations.iter().any(|operation| operation.owner == id)
            || tables.processes.values().any(|dead| dead.heir == id);
        Ok(!is_needed && tables.processes.remove(id).is_some())
    }
}

#[async_trait]
impl OperationStore for Fake {
    async fn operations(&self, owner: &str) -> Result<Vec<OperationRow>> {
        let tables = self.tables().await?;
        Ok(tables.operations.iter().filter(|operation| operation.owner == owner).cloned().collect())
    }

    async fn take_over(&self, dead: &str, beat: i64, heir: &str) -> Result<bool> {
        let mut tables = self.tables().await?;
        let serves = |id: &str| tables.processes.get(id).filter(|process| process.serves());
        if serves(dead).is_none_or(|process| process.beat != beat) || serves(heir).is_none() {
            return Ok(false);
        }
        let Tables { processes, operations } = &mut *tables;
        let taken = processes.values_mut().filter(|process| process.id == dead || process.heir == dead);
        for process in taken {
            process.heir = heir.to_owned();
            for operation in operations.iter_mut().filter(|operation| operation.owner == process.id) {
                operation.fence += 1;
            }
        }
        Ok(true)
    }

    async fn end_operation(&self, operation: &OperationRow) -> Result<bool> {
        let mut tables = self.tables().await?;
        let before = tables.operations.len();
        tables.operations.retain(|other| other != operation);
        Ok(tables.operations.len() < before)
    }
}

/// Adds an operation of `owner` to the database.
pub(super) fn add_operation(database: &Shared, owner: &str) -> OperationRow {
    let operation = OperationRow {
        id: format!("of {owner}"),
        kind: "create".into(),
        owner: owner.to_owned(),
        fence: 1,
        delegation: Vec::new(),
        target: "a.zip".into(),
        trace_id: String::new(),
        start_time: 0,
    };
    database.lock().unwrap().operations.push(operation.clone());
    operation
}

/// The ids of the processes in the database.
pub(super) fn ids(database: &Shared) -> Vec<String> {
    database.lock().unwrap().processes.keys().cloned().collect()
}
