//! Clients that read and write while tables are replaced.
//!
//! Every row of both tables has the same generation, so any statement that reads more than one row detects a mixture. Tables
//! are replaced and rolled back in turn, and each client checks what it sees until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, SwapLimits};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, PLAIN, Server, servers};
use crate::restoring::restore::{ID, LIMITS, discard, restore, roll_back, staged, target};

const MADE: &str = "
    CREATE TABLE a (id int PRIMARY KEY, generation int NOT NULL, filler text);
    CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a, generation int NOT NULL);
    CREATE TABLE outside (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
    CREATE TABLE counter (n int); INSERT INTO counter VALUES (0);
    INSERT INTO a SELECT i, 1, repeat('x', 100) FROM generate_series(1, 20000) i;
    INSERT INTO b SELECT i, i, 1 FROM generate_series(1, 20000) i;";
const NEXT: &str = "UPDATE a SET generation = 2; UPDATE b SET generation = 2";

/// Minimum and maximum of the generations that a statement sees, and the number of rows.
const SEEN: &str = "SELECT min(generation), max(generation), count(*) FROM (
    SELECT generation FROM a UNION ALL SELECT generation FROM b) AS both_tables";

/// Shared by all clients of a test.
struct Clients {
    stops: AtomicBool,
    statements: AtomicU64,
    /// In microseconds.
    longest: AtomicU64,
    retries: AtomicU64,
}

impl Clients {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            stops: AtomicBool::new(false),
            statements: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        })
    }

    fn go_on(&self) -> bool {
        !self.stops.load(Ordering::Relaxed)
    }

    async fn timed<T>(&self, statement: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = statement.await;
        self.longest.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
        self.statements.fetch_add(1, Ordering::Relaxed);
        done
    }
}

async fn run(connection: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(drop)
}

async fn seen(connection: &mut PgConnection, prepared: bool) -> sqlx::Result<(i32, i32, i64)> {
    sqlx::query_as(SEEN).persistent(prepared).fetch_one(connection).await
}

/// A serialization failure or a deadlock requires a retry; no other error is allowed.
fn is_retry(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

/// Reads at an isolation level: a statement must never see a mixture, and in a transaction above READ COMMITTED all
/// statements must see the same rows.
async fn reader(mut connection: PgConnection, level: &'static str, prepared: bool, clients: Arc<Clients>) {
    while clients.go_on() {
        let mut first = None;
        run(&mut connection, &format!("BEGIN ISOLATION LEVEL {level}")).await.unwrap();
        for _ in 0..3 {
            let found = match clients.timed(seen(&mut connection, prepared)).await {
                Ok(found) => found,
                Err(error) if is_retry(&error) => {
                    clients.retries.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(error) => panic!("{level}: {error}"),
            };
            let (least, most, rows) = found;
            assert_eq!((least, rows), (most, 40_000), "{level}");
            if level != "READ COMMITTED" {
                assert_eq!(*first.get_or_insert(found), found, "{level}");
            }
        }
        run(&mut connection, "ROLLBACK").await.unwrap();
    }
}

/// Locks and inserts as an application does: any error that is not a retry fails the test.
async fn writer(mut connection: PgConnection, level: &'static str, clients: Arc<Clients>) {
    let mut turn = 0;
    while clients.go_on() {
        turn = turn % 20_000 + 1;
        let sql = format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT id FROM a WHERE id = {turn} FOR UPDATE;
             INSERT INTO outside (a) VALUES ({turn}); UPDATE b SET generation = generation WHERE id = {turn}; COMMIT"
        );
        if let Err(error) = run(&mut connection, &sql).await {
            assert!(is_retry(&error), "{level}: {error}");
            clients.retries.fetch_add(1, Ordering::Relaxed);
            run(&mut connection, "ROLLBACK").await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn idle(database: &Owned) -> Duration {
    let clients = Clients::new();
    let reading = tokio::spawn(reader(database.connect().await, "READ COMMITTED", false, clients.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    clients.stops.store(true, Ordering::Relaxed);
    reading.await.unwrap();
    Duration::from_micros(clients.longest.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_the_old_rows_or_the_new_ones() {
    for (server, name) in servers() {
        sees(server, name).await;
    }
}

/// Readers at all levels, with and without prepared statements, and writers.
async fn start(database: &Owned) -> (Arc<Clients>, Vec<tokio::task::JoinHandle<()>>) {
    let clients = Clients::new();
    let mut running = Vec::new();
    for (level, prepared) in [
        ("READ COMMITTED", false),
        ("READ COMMITTED", true),
        ("REPEATABLE READ", true),
        ("SERIALIZABLE", true),
    ] {
        running.push(tokio::spawn(reader(database.connect().await, level, prepared, clients.clone())));
    }
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        running.push(tokio::spawn(writer(database.connect().await, level, clients.clone())));
    }
    (clients, running)
}

async fn sees(server: Server, name: &str) {
    let Some(database) = Owned::create(server, &format!("in_use_{name}")).await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await.only(&["a", "b"]);
    database.run(NEXT).await;

    // Snapshots from before the swap, one of which has already read the tables. Without the grant that one would block the
    // lock.
    let mut before = Vec::new();
    for touches in [true, false] {
        let mut connection = database.connect().await;
        run(&mut connection, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM counter").await.unwrap();
        if touches && server.may_be_replica {
            assert_eq!(seen(&mut connection, false).await.unwrap(), (2, 2, 40_000));
        }
        before.push(connection);
    }
    let (clients, running) = start(&database).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..2 {
        let limits = SwapLimits { lock: Duration::from_secs(60), pause: None };
        let mut stage =
            staged(&database.url, &archive, &archive.wanted(Mode::Replace), &Purpose::Restore(ID.to_owned()))
                .await
                .unwrap();
        stage.keep().await.unwrap();
        let swapped = stage.swap(&limits).await.unwrap();
        assert_eq!(swapped.tables[0].changed, 20_000);
        for connection in &mut before {
            assert_eq!(seen(connection, false).await.unwrap(), (2, 2, 40_000), "from before");
            run(connection, "COMMIT").await.unwrap();
        }
        before.clear();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut undo = target(&database.url).await;
        undo.roll_back(ID, true, Duration::from_secs(60)).await.unwrap();
        undo.close().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    clients.stops.store(true, Ordering::Relaxed);
    for client in running {
        client.await.unwrap();
    }
    let (longest, statements) =
        (clients.longest.load(Ordering::Relaxed), clients.statements.load(Ordering::Relaxed));
    eprintln!(
        "{name}: {statements} statements of readers, the longest {} ms; {} retries",
        longest / 1000,
        clients.retries.load(Ordering::Relaxed)
    );
    assert!(statements > 20);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_grant_readers_hardly_wait() {
    let Some(database) = Owned::create(GRANTED, "waits").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await.only(&["a", "b"]);
    database.run(NEXT).await;
    let idle = idle(&database).await;
    let clients = Clients::new();
    // A reader of few rows, so that its time is nearly all waiting.
    let mut connection = database.connect().await;
    let waiting = tokio::spawn({
        let clients = clients.clone();
        async move {
            while clients.go_on() {
                let sql =
                    "SELECT generation FROM a WHERE id = 7 UNION ALL SELECT generation FROM b WHERE id = 7";
                let found: Vec<(i32,)> =
                    clients.timed(sqlx::query_as(sql).fetch_all(&mut connection)).await.unwrap();
                assert_eq!(found.len(), 2);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let swapped = restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
    clients.stops.store(true, Ordering::Relaxed);
    waiting.await.unwrap();
    let longest = Duration::from_micros(clients.longest.load(Ordering::Relaxed));
    eprintln!(
        "readers waited {longest:?} at most, writers {:?}; a whole scan takes {idle:?}",
        swapped.paused
    );
    assert!(longest < Duration::from_millis(100) + idle, "{longest:?}");
    database.drop().await;
}

/// The first statement of the reader's transaction runs while the tables are locked and half exchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_from_inside_the_lock_sees_the_old_rows() {
    let Some(database) = Owned::create(GRANTED, "inside").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await.only(&["a", "b"]);
    database.run(NEXT).await;
    let mut stage =
        staged(&database.url, &archive, &archive.wanted(Mode::Replace), &Purpose::Restore(ID.to_owned()))
            .await
            .unwrap();
    stage.keep().await.unwrap();
    let locked =
        "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND granted AND relation = 'b'::regclass";
    let mut connection = database.connect().await;
    let swap = tokio::spawn(async move { stage.swap(&LIMITS).await });
    loop {
        let (held,): (i64,) = sqlx::query_as(locked).fetch_one(&mut connection).await.unwrap();
        if held > 0 {
            break;
        }
    }
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut inside = database.connect().await;
        run(&mut inside, &format!("BEGIN ISOLATION LEVEL {level}")).await.unwrap();
        assert_eq!(seen(&mut inside, false).await.unwrap(), (2, 2, 40_000));
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(seen(&mut inside, false).await.unwrap(), (2, 2, 40_000));
        inside.close().await.unwrap();
    }
    swap.await.unwrap().unwrap();
    assert_eq!(seen(&mut connection, false).await.unwrap(), (1, 1, 40_000));
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_the_tables_is_named_and_nothing_has_changed() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("holds_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await.only(&["a", "b"]);
        database.run("UPDATE a SET generation = 2 WHERE id = 1").await;
        let now = Archive::of(&database.url).await.content();
        let mut holder = database.connect().await;
        run(&mut holder, "BEGIN; UPDATE a SET filler = '' WHERE id = 9").await.unwrap();
        let (process,): (i32,) =
            sqlx::query_as("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
        let mut stage =
            staged(&database.url, &archive, &archive.wanted(Mode::Replace), &Purpose::Restore(ID.to_owned()))
                .await
                .unwrap();
        stage.keep().await.unwrap();
        let limits = SwapLimits { lock: Duration::from_millis(1500), pause: None };
        let failed = stage.swap(&limits).await.unwrap_err();
        let Error::Locked { holders, .. } = &failed else { panic!("{failed}") };
        assert!(holders.contains(&format!("process {process} ")), "{failed}");
        assert!(holders.contains("idle in transaction"), "{failed}");
        run(&mut holder, "ROLLBACK").await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), now);
        discard(&mut target(&database.url).await, ID).await;

        // The swap waits for a lock that is released in time.
        run(&mut holder, "BEGIN; UPDATE a SET filler = '' WHERE id = 9").await.unwrap();
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            run(&mut holder, "ROLLBACK").await.unwrap();
        });
        restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
        release.await.unwrap();
        assert_eq!(Archive::of(&database.url).await.only(&["a", "b"]).content(), archive.content());
        database.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_is_too_long_changes_nothing() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("too_long_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await.only(&["a", "b"]);
        database.run(NEXT).await;
        let (now, before) = (Archive::of(&database.url).await.content(), database.dumped());
        let mut waited = 0;
        for milliseconds in [0, 1, 20, 40, 80, 160, 320] {
            let purpose = Purpose::Restore(ID.to_owned());
            let mut stage =
                staged(&database.url, &archive, &archive.wanted(Mode::Replace), &purpose).await.unwrap();
            stage.keep().await.unwrap();
            let pause = Some(Duration::from_millis(milliseconds));
            let limits = SwapLimits { lock: Duration::from_secs(10), pause };
            match stage.swap(&limits).await {
                Ok(_) => {
                    roll_back(&database.url, ID, false).await.unwrap();
                }
                Err(Error::PauseTooLong { limit_ms, .. }) => {
                    assert_eq!(limit_ms, milliseconds);
                    waited += 1;
                    discard(&mut target(&database.url).await, ID).await;
                }
                Err(other) => panic!("{other}"),
            }
            assert_eq!(Archive::of(&database.url).await.content(), now);
            assert_eq!(database.dumped(), before);
        }
        assert!(waited >= 2);
        database.drop().await;
    }
}

/// Building each index takes a third of a second, also on each partition.
const SLOW: &str = "
    CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_catalog.pg_sleep(0.33); RETURN $1; END $$;
    CREATE TABLE parts (id int) PARTITION BY LIST (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    CREATE TABLE parts_3 PARTITION OF parts FOR VALUES IN (3);
    CREATE TABLE parts_4 PARTITION OF parts FOR VALUES IN (4);
    CREATE TABLE parts_5 PARTITION OF parts FOR VALUES IN (5);
    CREATE TABLE parts_6 PARTITION OF parts FOR VALUES IN (6);
    CREATE TABLE plain (id int);";

/// The pause limit applies to all statements together, however little time each of them takes.
#[tokio::test]
async fn a_pause_is_counted_over_all_indexes() {
    for indexes in [
        "CREATE INDEX ON parts (slow(id))",
        "CREATE INDEX ON plain (slow(id)); CREATE INDEX ON plain (slow(id)); CREATE INDEX ON plain (slow(id))",
    ] {
        let Some(database) = Owned::create(PLAIN, "slow_indexes").await else { return };
        database.run(SLOW).await;
        database.run(indexes).await;
        database.run("INSERT INTO plain VALUES (1); INSERT INTO parts SELECT generate_series(1, 6)").await;
        let archive = Archive::of(&database.url).await;
        database.run("DELETE FROM parts; DELETE FROM plain").await;
        let before = database.dumped();
        for (milliseconds, is_enough) in [(700, false), (20_000, true)] {
            let wanted = archive.wanted(Mode::IntoEmpty);
            let stage =
                staged(&database.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
            let (pause, began) = (Some(Duration::from_millis(milliseconds)), Instant::now());
            match stage.swap(&SwapLimits { lock: Duration::from_secs(10), pause }).await {
                Ok(swapped) => assert!(is_enough, "{indexes}: {:?}", swapped.paused),
                Err(Error::PauseTooLong { limit_ms, .. }) => {
                    assert!(!is_enough && limit_ms == milliseconds, "{indexes}");
                    assert!(
                        began.elapsed() < Duration::from_millis(1500),
                        "{indexes}: {:?}",
                        began.elapsed()
                    );
                    assert!(
                        Archive::of(&database.url).await.tables.iter().all(|table| table.rows.is_empty())
                    );
                }
                Err(other) => panic!("{other}"),
            }
            discard(&mut target(&database.url).await, ID).await;
            assert_eq!(database.dumped(), before);
        }
        assert_eq!(Archive::of(&database.url).await.content(), archive.content());
        database.drop().await;
    }
}
