//! Our own tables beside the live ones, and their rows.
//!
//! The tables are created in a separate transaction, because LIKE locks the live table until the transaction ends; rows are
//! then loaded in a second one, which keeping the stage commits. A trial's tables are temporary, and everything happens in
//! one transaction that is rolled back. A restore's tables are logged, because rolling a restore forward after a crash needs
//! their rows.

use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use super::pair::{Place, TablePair, pairs};
use super::session::{begin, commit, name_after, run};
use super::{PostgresStage, PostgresTarget, copy, create, direct, large, problem, registry};
use crate::error::{Error, Result};
use crate::load::{Chunk, Mode, Purpose, Refusal, TargetOptions, Wanted};
use crate::names::quoted;
use crate::postgres::session::expect_raw_text;

impl PostgresTarget {
    /// Begins to stage, or to load into empty tables, after all checks have passed.
    pub(super) async fn begin(
        mut self,
        wanted: &Wanted,
        fingerprint: &str,
        purpose: &Purpose,
    ) -> Result<PostgresStage> {
        let source = self.options.read.source.clone();
        let since = match purpose {
            Purpose::Restore(id) => registry::begin(&mut self.connection, &source, id).await?,
            Purpose::Trial => 0,
        };
        begin(&mut self.connection, &source, self.options.lock).await?;
        if let Purpose::Restore(id) = purpose {
            name_after(&mut self.connection, &source, id).await?;
        }
        let raw_text = crate::postgres::probe(&mut self.connection, &source).await?.encoding == "SQL_ASCII";
        let mut stage = PostgresStage {
            connection: self.connection,
            options: self.options,
            purpose: purpose.clone(),
            wanted: wanted.clone(),
            fingerprint: fingerprint.to_owned(),
            tables: Vec::new(),
            raw_text,
            direct: None,
            is_kept: false,
            since,
            loaded: vec![0; wanted.tables.len()],
            large_objects: Vec::new(),
        };
        stage.open().await?;
        Ok(stage)
    }
}

impl PostgresStage {
    async fn open(&mut self) -> Result<()> {
        let created = match self.wanted.create_tables {
            true => create::missing(&mut self.connection, &self.options, &self.wanted).await?,
            false => create::Created::default(),
        };
        self.tables = found(&mut self.connection, &self.options, &self.wanted, &self.purpose).await?;
        match (self.wanted.mode, &self.purpose) {
            (Mode::IntoEmpty, Purpose::Restore(_)) => {
                let source = &self.options.read.source;
                let lock = self.options.lock;
                let direct = direct::open(&mut self.connection, source, &self.tables, created, lock).await?;
                self.direct = Some(direct);
                Ok(())
            }
            _ => self.create_stages().await,
        }
    }

    async fn create_stages(&mut self) -> Result<()> {
        let source = &self.options.read.source;
        for pair in &self.tables {
            let what = format!("creating a table beside {}", pair.archive.name);
            run(&mut self.connection, source, what, create_stage(pair)).await?;
        }
        if !self.wanted.large_objects.is_empty() {
            let sql = large::create_stage(&Place::of(&self.purpose));
            run(&mut self.connection, source, "creating a table for large objects", sql).await?;
        }
        if let Purpose::Restore(id) = &self.purpose {
            commit(&mut self.connection, source).await?;
            begin(&mut self.connection, source, self.options.lock).await?;
            name_after(&mut self.connection, source, id).await?;
        }
        Ok(())
    }

    pub(super) async fn load_rows(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        let source = &self.options.read.source;
        let Some(pair) = self.tables.get(table) else {
            return Err(Error::missing(source, format!("table at {table}")));
        };
        let connection = &mut self.connection;
        let into = if self.direct.is_some() { &pair.qualified } else { &pair.stage };
        if self.raw_text {
            expect_raw_text(connection, source, true).await?;
        }
        let loaded = copy::load(connection, source, pair, into, chunks).await?;
        if self.raw_text {
            expect_raw_text(connection, source, false).await?;
        }
        if self.direct.is_none() {
            complete(connection, source, pair).await?;
        }
        if let Some(count) = self.loaded.get_mut(table) {
            *count = loaded;
        }
        Ok(loaded)
    }
}

/// The pair of every wanted table.
async fn found(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
    purpose: &Purpose,
) -> Result<Vec<TablePair>> {
    let found = pairs(connection, options, wanted, &Place::of(purpose)).await?;
    let missing = wanted.tables.iter().zip(&found).filter(|(_, pair)| pair.is_none());
    let refusals: Vec<Refusal> =
        missing.map(|(table, _)| Refusal::TableMissing { table: table.schema.name.clone() }).collect();
    if !refusals.is_empty() {
        return Err(Error::Refused { name: options.read.source.clone(), refusals });
    }
    Ok(found.into_iter().flatten().collect())
}

/// Checks and NOT NULL are copied, so that the stage refuses what the live table would refuse, except NOT VALID checks.
/// Without INCLUDING GENERATED and IDENTITY all columns are plain; columns that are not loaded are dropped, along with the
/// checks that read them.
fn create_stage(pair: &TablePair) -> String {
    let (stage, live) = (&pair.stage, &pair.qualified);
    let mut sql = format!("CREATE TABLE {stage} (LIKE {live} INCLUDING CONSTRAINTS)");
    let others = pair.live.columns.iter().enumerate();
    let others = others.filter(|(at, _)| !pair.columns.iter().any(|(_, loaded)| loaded == at));
    let drops: Vec<String> =
        others.map(|(_, column)| format!("DROP COLUMN {}", quoted(&column.name))).collect();
    if !drops.is_empty() {
        sql.push_str(&format!(";\nALTER TABLE {stage} {}", drops.join(", ")));
    }
    // Existing rows that violate such a check stay; `keys` checks the new rows.
    for constraint in pair.live.constraints.iter().filter(|one| one.definition.ends_with(" NOT VALID")) {
        sql.push_str(&format!(
            ";\nALTER TABLE {stage} DROP CONSTRAINT IF EXISTS {}",
            quoted(&constraint.name)
        ));
    }
    sql
}

/// Completes the stage for the comparison after its rows are loaded.
async fn complete(connection: &mut PgConnection, source: &str, pair: &TablePair) -> Result<()> {
    let stage = &pair.stage;
    let mut sql = String::new();
    if !pair.key.is_empty() {
        let key: Vec<String> = pair.key.iter().map(|column| quoted(column)).collect();
        sql.push_str(&format!("ALTER TABLE {stage} ADD PRIMARY KEY ({});\n", key.join(", ")));
    }
    sql.push_str(&format!("ANALYZE {stage}"));
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await;
    done.map(drop).map_err(|error| problem::of(source, pair, &error))
}
