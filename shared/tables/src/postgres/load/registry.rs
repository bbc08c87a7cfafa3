//! Our schema in the target, and the table that records each restore: the basis on which a later process continues, rolls
//! back or cleans up.
//!
//! Both are created with the first restore and dropped with the last. Every session that creates or drops something here
//! holds one advisory lock until the end of its transaction, because `IF NOT EXISTS` alone fails if two sessions run it at
//! once. The names of all tables of a restore contain its id, so that they can be found whatever a crash left behind.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

use super::session::program_of;
use super::statements::{Failure, Session, literal};
use crate::RESTORE_SCHEMA;
use crate::error::{Error, Result};
use crate::load::{Mode, Refusal, RestoreState};
use crate::postgres::codes;

/// How long one of our sessions may take to end, and the interval of checking.
const ENDING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);
/// The key of the advisory lock: `strongrm` in ASCII.
const LOCK: i64 = 0x7374_726f_6e67_726d;

/// Data that rolling back an applied restore requires.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Applied {
    pub(super) mode: Mode,
    pub(super) tables: Vec<AppliedTable>,
    /// Outside tables that foreign keys changed.
    #[serde(default)]
    pub(super) outside: Vec<OutsideTable>,
    /// Large objects created by the restore.
    #[serde(default)]
    pub(super) large_objects: Vec<u32>,
}

/// A restored table. The names of our tables are in SQL form.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct AppliedTable {
    /// Its archive name.
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) table: String,
    pub(super) stage: String,
    pub(super) undo: String,
    pub(super) added: String,
    /// Columns that identify rows; empty if there are none.
    pub(super) key: Vec<String>,
    /// Columns that were loaded.
    pub(super) columns: Vec<String>,
    /// Whether any row was added, changed or removed.
    pub(super) is_changed: bool,
}

/// A table that lost rows or values because the rows that it referenced were deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutsideTable {
    pub(super) namespace: String,
    pub(super) table: String,
    pub(super) is_partitioned: bool,
    /// The table with its previous rows.
    pub(super) undo: String,
    /// Columns of its primary key.
    pub(super) key: Vec<String>,
    /// Columns that foreign keys set.
    pub(super) sets: Vec<String>,
}

impl Applied {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, tables: Vec::new(), outside: Vec::new(), large_objects: Vec::new() }
    }
}

/// A restore recorded in the target.
#[derive(Debug, Clone, PartialEq, Eq, sqlx_macros::FromRow)]
pub(super) struct Noted {
    pub(super) id: String,
    pub(super) state: String,
    /// Larger than for every restore that was applied before; 0 until it is applied.
    pub(super) applied: i64,
    /// An [`Applied`] as JSON, after it was applied.
    pub(super) tables: Option<String>,
}

impl Noted {
    pub(super) fn is_staged(&self) -> bool {
        self.state == "staged"
    }
}

/// When a restore was recorded as staged, in microseconds: this distinguishes one stage of a restore from a later one.
const SINCE: &str = "(extract(epoch FROM changed) * 1000000)::int8";

/// Records a restore as staged and commits that, before its first table is created. Returns the time of the record.
///
/// # Errors
/// [`Error::Refused`] if another restore is staged, or a database error.
pub(super) async fn begin(connection: &mut PgConnection, source: &str, id: &str) -> Result<i64> {
    let mut session = Session::new(connection, source);
    let done = begin_in(&mut session, id).await;
    finish(session, done).await
}

async fn begin_in(session: &mut Session<'_>, id: &str) -> Result<i64, Failure> {
    const WHAT: &str = "recording a restore";
    open(session, WHAT).await?;
    create(session, WHAT).await?;
    if let Some(other) = list_in(session).await?.into_iter().find(|noted| noted.is_staged() || noted.id == id)
    {
        return Err(refused(session.source, Refusal::OtherRestore { id: other.id }));
    }
    let sql =
        format!("INSERT INTO {RESTORE_SCHEMA}.restores (id) VALUES ({}) RETURNING {SINCE}", literal(id));
    let (since,) = session.row(WHAT, sql).await?;
    Ok(since)
}

/// Records, in the swap's transaction, that a restore staged at `since` is applied.
pub(super) async fn applied(
    session: &mut Session<'_>,
    id: &str,
    since: i64,
    applied: &Applied,
) -> Result<(), Failure> {
    let tables = serde_json::to_string(applied).map_err(|_| unreadable(session.source, id))?;
    session.run("recording an applied restore", format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    let sql = format!(
        "UPDATE {RESTORE_SCHEMA}.restores SET state = 'applied', tables = {}, changed = clock_timestamp(),
                applied = (SELECT max(applied) + 1 FROM {RESTORE_SCHEMA}.restores)
         WHERE id = {} AND state = 'staged' AND {SINCE} = {since}",
        literal(&tables),
        literal(id)
    );
    match session.run("recording an applied restore", sql).await? {
        1 => Ok(()),
        // Another process has discarded the restore meanwhile and reported that nothing was changed. It may have been staged
        // again.
        _ => Err(Error::NotApplied { name: session.source.to_owned(), restore: id.to_owned() }.into()),
    }
}

/// Ends sessions that are in a transaction of a restore, and waits until they have ended: those of a suspended process, or of
/// one whose lost connection the server has not noticed yet. They would hold their locks until then, and could still commit.
/// Afterwards the marker is final.
///
/// # Errors
/// [`Error::Locked`] for a session that does not end, or a database error.
pub(super) async fn end_sessions(connection: &mut PgConnection, source: &str, id: &str) -> Result<()> {
    let sql = format!(
        "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid)) FROM pg_catalog.pg_stat_activity a
         WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database()
           AND a.usename = current_user AND a.application_name = {}",
        literal(&program_of(id))
    );
    let began = Instant::now();
    let mut session = Session::new(connection, source);
    loop {
        let found = session.count("ending sessions of a restore", sql.clone()).await;
        if found.map_err(|failure| failure.of(source))? == 0 {
            return Ok(());
        }
        if began.elapsed() > ENDING {
            let holders = "a session of this restore does not end; ".to_owned();
            return Err(Error::Locked { name: source.to_owned(), seconds: ENDING.as_secs(), holders });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The state of a restore in the target.
pub(super) async fn state_of(
    connection: &mut PgConnection,
    source: &str,
    id: &str,
) -> Result<Option<RestoreState>> {
    let noted = list(connection, source).await?.into_iter().find(|noted| noted.id == id);
    Ok(noted.map(|noted| if noted.is_staged() { RestoreState::Staged } else { RestoreState::Applied }))
}

/// All recorded restores.
pub(super) async fn list(connection: &mut PgConnection, source: &str) -> Result<Vec<Noted>> {
    let mut session = Session::new(connection, source);
    let done = async {
        let begin = "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog".to_owned();
        session.run("looking for restores", begin).await?;
        list_in(&mut session).await
    };
    let done = done.await;
    finish(session, done).await
}

/// Removes everything that belongs to a restore in state `only`, and nothing if it is in another state. Returns whether
/// nothing of it is left. A swap that is about to commit holds the lock, so the state read here is the swap's outcome.
pub(super) async fn discard(
    connection: &mut PgConnection,
    source: &str,
    id: &str,
    only: RestoreState,
) -> Result<bool> {
    let mut session = Session::new(connection, source);
    let done = async {
        open(&mut session, "discarding a restore").await?;
        let noted = list_in(&mut session).await?.into_iter().find(|noted| noted.id == id);
        if noted.is_some_and(|noted| noted.is_staged() != (only == RestoreState::Staged)) {
            return Ok(false);
        }
        discard_in(&mut session, id).await?;
        Ok(true)
    };
    let done = done.await;
    finish(session, done).await
}

/// The same within an open transaction.
pub(super) async fn discard_in(session: &mut Session<'_>, id: &str) -> Result<(), Failure> {
    const WHAT: &str = "discarding a restore";
    session.run(WHAT, format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    let noted = list_in(session).await?;
    if let Some(of) = noted.iter().find(|noted| noted.id == id) {
        drop_tables(session, &of.id).await?;
        let sql = format!("DELETE FROM {RESTORE_SCHEMA}.restores WHERE id = {}", literal(id));
        session.run(WHAT, sql).await?;
    }
    if noted.iter().all(|noted| noted.id == id) {
        drop_schema(session).await?;
    }
    Ok(())
}

/// The table's rows; none if it does not exist. Without the lock, the last restore can drop the table at any moment, and no
/// snapshot prevents that.
pub(super) async fn list_in(session: &mut Session<'_>) -> Result<Vec<Noted>, Failure> {
    const WHAT: &str = "looking for restores";
    if !exists(session).await? {
        return Ok(Vec::new());
    }
    session.run(WHAT, "SAVEPOINT registry".to_owned()).await?;
    let sql =
        format!("SELECT id, state, applied, tables FROM {RESTORE_SCHEMA}.restores ORDER BY applied, id");
    match session.rows(WHAT, sql).await {
        Err(gone) if gone.code() == codes::UNDEFINED_TABLE => {
            session.run(WHAT, "ROLLBACK TO SAVEPOINT registry".to_owned()).await?;
            Ok(Vec::new())
        }
        noted => {
            let noted = noted?;
            session.run(WHAT, "RELEASE SAVEPOINT registry".to_owned()).await?;
            Ok(noted)
        }
    }
}

async fn exists(session: &mut Session<'_>) -> Result<bool, Failure> {
    let sql = format!(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = '{RESTORE_SCHEMA}' AND c.relname = 'restores'"
    );
    Ok(session.count("looking for restores", sql).await? > 0)
}

async fn open(session: &mut Session<'_>, what: &str) -> Result<(), Failure> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = '10s';
         SET LOCAL statement_timeout = 0;
         SELECT pg_advisory_xact_lock({LOCK})"
    );
    session.run(what, sql).await.map(drop)
}

/// The schema may have been created for this role, which may not be allowed to create another one.
async fn create(session: &mut Session<'_>, what: &str) -> Result<(), Failure> {
    let sql = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{RESTORE_SCHEMA}'");
    if session.count(what, sql).await? == 0 {
        session.run(what, format!("CREATE SCHEMA {RESTORE_SCHEMA}")).await?;
    }
    if exists(session).await? {
        return Ok(());
    }
    let sql = format!(
        "CREATE TABLE {RESTORE_SCHEMA}.restores (
             id text PRIMARY KEY,
             state text NOT NULL DEFAULT 'staged',
             applied bigint NOT NULL DEFAULT 0,
             changed timestamptz NOT NULL DEFAULT clock_timestamp(),
             tables text)"
    );
    session.run(what, sql).await.map(drop)
}

async fn drop_tables(session: &mut Session<'_>, id: &str) -> Result<(), Failure> {
    const WHAT: &str = "dropping the tables of a restore";
    let id = format!("_{}_", id.replace('-', ""));
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = '{RESTORE_SCHEMA}' AND c.relkind = 'r' AND substr(c.relname, 2, {}) = {}",
        id.chars().count(),
        literal(&id)
    );
    let tables: Vec<(String,)> = session.rows(WHAT, sql).await?;
    if tables.is_empty() {
        return Ok(());
    }
    let tables: Vec<String> = tables.into_iter().map(|(table,)| table).collect();
    session.run(WHAT, format!("DROP TABLE {}", tables.join(", "))).await.map(drop)
}

/// The schema stays if it was created for this role, or if it contains other objects.
async fn drop_schema(session: &mut Session<'_>) -> Result<(), Failure> {
    const WHAT: &str = "dropping our schema";
    session.run(WHAT, format!("DROP TABLE IF EXISTS {RESTORE_SCHEMA}.restores")).await?;
    let sql = format!(
        "SELECT count(*) FROM pg_namespace n
         WHERE n.nspname = '{RESTORE_SCHEMA}' AND pg_has_role(n.nspowner, 'USAGE')
           AND has_database_privilege(current_database(), 'CREATE')
           AND NOT EXISTS (SELECT FROM pg_depend d
                           WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid)"
    );
    if session.count(WHAT, sql).await? > 0 {
        session.run(WHAT, format!("DROP SCHEMA {RESTORE_SCHEMA}")).await?;
    }
    Ok(())
}

async fn finish<T>(mut session: Session<'_>, done: Result<T, Failure>) -> Result<T> {
    let source = session.source;
    let ended = match done {
        Ok(done) => session.run("committing", "COMMIT".to_owned()).await.map(|_| done),
        Err(failure) => {
            session.roll_back().await;
            Err(failure)
        }
    };
    ended.map_err(|failure| failure.of(source))
}

fn refused(source: &str, refusal: Refusal) -> Failure {
    Error::Refused { name: source.to_owned(), refusals: vec![refusal] }.into()
}

/// Parses [`Noted::tables`].
pub(super) fn parse(noted: &Noted, source: &str) -> Result<Applied> {
    let tables = noted.tables.as_deref().unwrap_or_default();
    serde_json::from_str(tables).map_err(|_| unreadable(source, &noted.id))
}

/// Content that cannot be parsed is not guessed: a newer version may have written it.
fn unreadable(source: &str, id: &str) -> Error {
    let what = format!(
        "record of the restore {id} in {RESTORE_SCHEMA}.restores that this version can read: roll back with \
         the version of Strongroom that applied the restore, or restore the safety backup"
    );
    Error::missing(source, what)
}
