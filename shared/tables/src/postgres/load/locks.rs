//! Locks all tables of a swap at once, with retries.
//!
//! Later sessions queue behind our lock request, so each request is short, and between two attempts nobody waits for us.
//! EXCLUSIVE does not affect readers and blocks all writers, including foreign key checks from outside, which lock rows.
//! Tables are locked in order of name, as in every restore, so that two restores do not deadlock.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

use super::pair::TablePair;
use super::references::{End, Reference, members, rows};
use super::session::{begin, name_after};
use super::statements::{Failure, Session};
use crate::error::{Error, Result};
use crate::postgres::codes;
use crate::postgres::types::Oid;

/// Wait for each lock in one attempt.
const WAIT: Duration = Duration::from_millis(500);
/// Pauses between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A table to lock. The derived order is the locking order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locked {
    pub(super) namespace: String,
    pub(super) table: String,
    pub(super) is_partitioned: bool,
    pub(super) oid: Oid,
}

impl Locked {
    pub(super) fn of(pair: &TablePair) -> Self {
        Self {
            namespace: pair.live.namespace.clone(),
            table: pair.live.table.clone(),
            is_partitioned: pair.live.partition_key.is_some(),
            oid: pair.oid,
        }
    }

    /// The referencing table of the foreign key.
    pub(super) fn referencing(key: &Reference) -> Self {
        let End { oid, namespace, table, is_partitioned, .. } = key.from.clone();
        Self { namespace, table, is_partitioned, oid }
    }
}

/// Work done while the tables are locked. It is a trait and not a closure, because the future of a borrowing closure cannot
/// be shown to be `Send`.
pub(super) trait Work: Sync {
    type Done: Send;

    fn run(&self, session: &mut Session<'_>) -> impl Future<Output = Result<Self::Done, Failure>> + Send;

    /// Whether the work is to be committed; otherwise it only tests whether it would succeed.
    fn lasts(&self) -> bool {
        true
    }
}

/// Time limits.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The restore's id.
    pub(super) restore: &'a str,
    pub(super) lock: Duration,
    pub(super) pause: Option<Duration>,
}

/// Does `work` in a transaction that holds the tables, and commits if `work` is to last. If a lock cannot be acquired,
/// everything starts again. Also returns how long writers had to wait.
pub(super) async fn hold<W: Work>(
    connection: &mut PgConnection,
    source: &str,
    tables: &[Locked],
    limits: Limits<'_>,
    work: &W,
) -> Result<(W::Done, Duration)> {
    let mut tables = tables.to_vec();
    tables.sort();
    tables.dedup();
    let began = Instant::now();
    let (mut wait, mut pause) = (WAIT, FIRST_PAUSE);
    loop {
        let mut session = Session::new(connection, source);
        let failure = match once(&mut session, &tables, wait, limits, work).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        session.roll_back().await;
        if !is_passing(&failure) {
            return Err(failure.of(source));
        }
        let holders = holders(&mut session, &tables).await.map_err(|failure| failure.of(source))?;
        if began.elapsed() + pause >= limits.lock {
            return Err(Error::Locked {
                name: source.to_owned(),
                seconds: began.elapsed().as_secs(),
                holders: printed(&holders),
            });
        }
        wait = if are_vacuums(&holders) { patience(&mut session).await.unwrap_or(WAIT) } else { WAIT };
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn once<W: Work>(
    session: &mut Session<'_>,
    tables: &[Locked],
    wait: Duration,
    limits: Limits<'_>,
    work: &W,
) -> Result<(W::Done, Duration), Failure> {
    begin(session.connection, session.source, wait).await?;
    name_after(session.connection, session.source, limits.restore).await?;
    let began = Instant::now();
    lock(session, tables, wait).await?;
    session.limit_pause(limits.pause, Instant::now());
    session.until = Instant::now() + limits.lock;
    let done = work.run(session).await?;
    if work.lasts() {
        session.run("committing", "COMMIT".to_owned()).await?;
    } else {
        session.roll_back().await;
    }
    Ok((done, began.elapsed()))
}

/// Each lock can wait for `wait`, and all locks together for twice as long, because the first ones are held meanwhile.
async fn lock(session: &mut Session<'_>, tables: &[Locked], wait: Duration) -> Result<(), Failure> {
    let named = |one: &Locked| rows(&one.namespace, &one.table, one.is_partitioned);
    let names: Vec<String> = tables.iter().map(named).collect();
    if names.is_empty() {
        return Ok(());
    }
    let limit = wait.as_millis() * 2;
    session.run("setting the lock timeout", format!("SET LOCAL statement_timeout = {limit}")).await?;
    session.run("locking the tables", format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "))).await?;
    session.run("setting the lock timeout", "SET LOCAL statement_timeout = 0".to_owned()).await.map(drop)
}

/// Also blocks readers of `tables`, which the transaction already holds against writers. Readers lock tables in their own
/// order, and a session that waits for us may hold a lock that we wait for: then our locks are released, and taken again in
/// reverse order.
pub(super) async fn keep_readers_out(session: &mut Session<'_>, tables: &[String]) -> Result<(), Failure> {
    const WHAT: &str = "keeping readers out";
    let mut tables = tables.to_vec();
    tables.sort();
    tables.dedup();
    while !tables.is_empty() {
        session.run(WHAT, "SAVEPOINT readers".to_owned()).await?;
        let sql = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "));
        let Err(failure) = session.run(WHAT, sql).await else { break };
        if !matches!(failure.code(), codes::LOCK_NOT_AVAILABLE | codes::DEADLOCK_DETECTED)
            || Instant::now() >= session.until
        {
            return Err(failure);
        }
        session.run(WHAT, "ROLLBACK TO readers; RELEASE readers".to_owned()).await?;
        tokio::time::sleep(jittered(FIRST_PAUSE)).await;
        tables.reverse();
    }
    Ok(())
}

/// A lock that could not be acquired, a deadlock, or the time limit on all locks together.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure.code(),
        codes::LOCK_NOT_AVAILABLE | codes::DEADLOCK_DETECTED | codes::SERIALIZATION_FAILURE
    ) || failure.is_canceled("locking the tables")
}

/// A session that holds a conflicting lock.
#[derive(sqlx_macros::FromRow)]
struct Holder {
    process: i32,
    mode: String,
    role: Option<String>,
    state: Option<String>,
    program: Option<String>,
}

/// Columns that this role cannot see in other sessions are NULL.
async fn holders(session: &mut Session<'_>, tables: &[Locked]) -> Result<Vec<Holder>, Failure> {
    let oids: Vec<Oid> = tables.iter().map(|one| one.oid).collect();
    let sql = format!(
        "WITH RECURSIVE members (oid, root) AS ({})
         SELECT l.pid AS process, max(l.mode) AS mode, max(a.usename)::text AS role, max(a.state) AS state,
                max(nullif(a.application_name, '')) AS program
         FROM pg_locks l JOIN members m ON m.oid = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'relation' AND l.mode <> 'SIReadLock' AND l.granted AND l.pid <> pg_backend_pid()
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
         GROUP BY l.pid ORDER BY bool_and(l.mode = 'AccessShareLock'), l.pid LIMIT 5",
        members(&oids)
    );
    session.rows("finding the holders of the tables' locks", sql).await
}

/// The sessions that hold any of the tables, for [`Error::Locked`].
pub(super) async fn named(session: &mut Session<'_>, tables: &[Locked]) -> Result<String, Failure> {
    Ok(printed(&holders(session, tables).await?))
}

fn printed(holders: &[Holder]) -> String {
    let one = |holder: &Holder| {
        let known = [&holder.role, &holder.program, &holder.state];
        let known: Vec<&str> = known.into_iter().filter_map(Option::as_deref).collect();
        format!("process {} ({}) holds {}; ", holder.process, known.join(", "), holder.mode)
    };
    holders.iter().map(one).collect()
}

/// An autovacuum gives way, but only to a session that has waited for `deadlock_timeout`.
fn are_vacuums(holders: &[Holder]) -> bool {
    let mut in_the_way = holders.iter().filter(|holder| holder.mode != "AccessShareLock").peekable();
    in_the_way.peek().is_some() && in_the_way.all(|holder| holder.mode == "ShareUpdateExclusiveLock")
}

/// How long to wait until an autovacuum gives way.
pub(super) async fn patience(session: &mut Session<'_>) -> Result<Duration, Failure> {
    let sql = "SELECT setting::int8 FROM pg_settings WHERE name = 'deadlock_timeout'";
    let milliseconds = session.count("reading a setting", sql.to_owned()).await?;
    Ok(WAIT + Duration::from_millis(milliseconds.min(5000)))
}

fn jittered(pause: Duration) -> Duration {
    let part = u32::try_from(RandomState::new().hash_one(0_u8) % 500).unwrap_or(0);
    pause + pause * part / 1000
}
