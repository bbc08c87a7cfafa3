//! The target's server dies, with all its processes, during a restore. When it is back, the rows are either the old or the
//! new ones, and the marker says which.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_tables::load::{Mode, Purpose, RestoreState, Stage};
use tokio::sync::mpsc;

use crate::restoring::archive::Archive;
use crate::restoring::owned::Owned;
use crate::restoring::private::{PrivateServer, folder};
use crate::restoring::restore::{ID, LIMITS, restore, roll_back, staged, target};

const MADE: &str = "
    CREATE TABLE a (id int PRIMARY KEY, v text, n serial);
    CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a, v text UNIQUE);
    CREATE INDEX ON a (v);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER note BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE b ENABLE ALWAYS TRIGGER note;";
const ROWS: &str = "
    INSERT INTO a SELECT i, 'a' || i FROM generate_series(1, 3000) i;
    INSERT INTO b SELECT i, i, 'b' || i FROM generate_series(1, 3000) i;";
const CHANGED: &str = "
    DELETE FROM b WHERE id % 3 = 0; DELETE FROM a WHERE id % 6 = 0; UPDATE b SET v = 'x' || id WHERE id % 7 = 0;
    INSERT INTO a SELECT i, 'later' FROM generate_series(4001, 4100) i;";
const GONE: &str = "DROP TABLE IF EXISTS a, b; DROP FUNCTION IF EXISTS note;";

/// When the server dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// While rows are being loaded.
    Loading,
    /// After all rows are loaded, when nothing is running.
    Staged,
    /// After all rows are exchanged, but before the marker is written.
    Exchanged,
    /// This many milliseconds after the last obstacle to the commit is gone.
    Committing(u64),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_leaves_old_rows_or_new_ones() {
    dies(false, &[Mode::IntoEmpty, Mode::Replace]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_under_the_replica_role_leaves_old_rows_or_new_ones() {
    dies(true, &[Mode::Merge, Mode::Replace]).await;
}

async fn dies(may_be_replica: bool, modes: &[Mode]) {
    let (data, log) = (folder(), folder());
    let server = PrivateServer::create(&data.path().join("data"), &log.path().join("log")).await;
    let Some(mut server) = server else { return };
    let database = Owned::create_at(&server.url, "dying", may_be_replica).await;
    let mut moments = vec![Moment::Loading, Moment::Staged, Moment::Exchanged];
    let last = if std::env::var_os("STRONGROOM_LONG").is_some() { 12 } else { 4 };
    moments.extend((0..last).map(Moment::Committing));
    let mut applied = 0;
    for &mode in modes {
        for &moment in &moments {
            applied += u32::from(round(&mut server, &database, mode, moment).await);
        }
    }
    // Rounds in which the server dies before the marker is written cannot be applied.
    let never = u32::try_from(3 * modes.len()).unwrap();
    let rounds = u32::try_from(moments.len() * modes.len()).unwrap();
    assert!(applied <= rounds - never, "{applied} of {rounds}");
    eprintln!("{applied} of {rounds} were applied when the server died");
}

/// Whether the restore was applied.
async fn round(server: &mut PrivateServer, database: &Owned, mode: Mode, moment: Moment) -> bool {
    let what = format!("{mode:?} {moment:?}");
    database.run(&format!("{GONE} {MADE} {ROWS}")).await;
    let archive = Archive::of(&database.url).await;
    let changes = if mode == Mode::IntoEmpty { "DELETE FROM b; DELETE FROM a" } else { CHANGED };
    database.run(changes).await;
    let (before, schema) = (Archive::of(&database.url).await.content(), database.dumped());
    let new = expected(database, &archive, mode).await;

    restore_until(server, database, &archive, mode, moment).await;
    server.start().await;

    let mut looking = target(&database.url).await;
    looking.end_sessions(ID).await.unwrap();
    let state = looking.state_of(ID).await.unwrap().unwrap();
    let is_applied = state == RestoreState::Applied;
    let found = Archive::of(&database.url).await.content();
    assert_eq!(found, if is_applied { new.clone() } else { before.clone() }, "{what} {state:?}");
    assert_eq!(database.dumped(), schema, "{what}");
    if is_applied {
        assert!(matches!(moment, Moment::Committing(_)), "{what}");
        roll_back(&database.url, ID, mode == Mode::IntoEmpty).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), before, "{what}");
    } else {
        assert!(looking.discard(ID, state).await.unwrap());
    }
    looking.close().await;
    nothing_remains(database).await;

    restore(&database.url, &archive, &archive.wanted(mode)).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), new, "{what}");
    let mut discarding = target(&database.url).await;
    crate::restoring::restore::discard(&mut discarding, ID).await;
    discarding.close().await;
    nothing_remains(database).await;
    is_applied
}

/// The rows after a restore in this mode.
async fn expected(database: &Owned, archive: &Archive, mode: Mode) -> Vec<(String, Vec<String>)> {
    if mode != Mode::Merge {
        return archive.content();
    }
    restore(&database.url, archive, &archive.wanted(mode)).await.unwrap();
    let merged = Archive::of(&database.url).await.content();
    roll_back(&database.url, ID, false).await.unwrap();
    merged
}

async fn nothing_remains(database: &Owned) {
    let ours = "SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'";
    assert_eq!(database.value::<i64>(ours).await, 0);
}

async fn restore_until(
    server: &mut PrivateServer,
    database: &Owned,
    archive: &Archive,
    mode: Mode,
    moment: Moment,
) {
    let (wanted, purpose) = (archive.wanted(mode), Purpose::Restore(ID.to_owned()));
    if matches!(moment, Moment::Loading) {
        let mut target = target(&database.url).await;
        let found = target.inspect(&wanted).await.unwrap();
        let stage = target.stage(&wanted, &found.fingerprint, &purpose).await.unwrap();
        return load_until_killed(server, stage, archive).await;
    }
    let mut stage = staged(&database.url, archive, &wanted, &purpose).await.unwrap();
    stage.keep().await.unwrap();
    if matches!(moment, Moment::Staged) {
        server.kill();
        assert!(stage.swap(&LIMITS).await.is_err());
        return;
    }
    let mut obstacle = hold_the_marker(database).await;
    let swap = tokio::spawn(async move { stage.swap(&LIMITS).await });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'";
    while database.value::<i64>(waiting).await == 0 {
        assert!(!swap.is_finished(), "it waits for nobody");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    if let Moment::Committing(milliseconds) = moment {
        sqlx::raw_sql("SELECT pg_advisory_unlock_all()").execute(&mut obstacle).await.unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    server.kill();
    let swapped = swap.await.unwrap();
    assert!(swapped.is_err() || matches!(moment, Moment::Committing(_)), "{moment:?}");
}

/// The lock that every session takes before it writes a marker.
async fn hold_the_marker(database: &Owned) -> PgConnection {
    let mut connection = database.connect().await;
    let key = i64::from_be_bytes(*b"strongrm");
    let sql = AssertSqlSafe(format!("SELECT pg_advisory_lock({key})"));
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection
}

/// Loads one table, and some rows of the next one.
async fn load_until_killed(server: &mut PrivateServer, mut stage: Stage, archive: &Archive) {
    crate::restoring::restore::load(&mut stage, 0, &archive.tables[0]).await.unwrap();
    let mut encoder = stage.encoder(1);
    archive.tables[1].each(|row| assert!(encoder.add(row).unwrap().is_none()));
    let mut chunk = encoder.finish();
    chunk.is_last = false;
    let (sender, received) = mpsc::channel(1);
    let kill = async {
        sender.send(chunk).await.unwrap();
        // Once there is room for another chunk, this one is being loaded.
        drop(sender.reserve().await.unwrap());
        server.kill();
        drop(sender);
    };
    let (loaded, ()) = tokio::join!(stage.load(1, received), kill);
    assert!(loaded.is_err());
}
