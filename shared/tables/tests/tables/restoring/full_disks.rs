//! The disk of the target's server fills up before the restore ends: the rows are the old ones, nothing of ours remains, even
//! while the disk is still full, and once there is room the restore works.

use std::path::Path;

use rustix::fs::statvfs;
use rustix::process::geteuid;
use strongroom_tables::Kind;
use strongroom_tables::load::{Mode, RestoreState};
use strongroom_testkit::in_mount_namespace;

use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, PLAIN};
use crate::restoring::private::{PrivateServer, folder};
use crate::restoring::restore::{ID, discard, restore, roll_back, target};

/// Approximate size of the archive's rows with their index, in MiB.
const ROWS_MIB: u64 = 24;
const MADE: &str = "CREATE TABLE a (id int PRIMARY KEY, v text NOT NULL); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);";
/// Rows of about 1 KiB each, which cannot be compressed and are stored inline.
const ROWS: &str = "
    INSERT INTO a SELECT i, (SELECT string_agg(md5(i * j || 'x'), '') FROM generate_series(1, 32) j)
        FROM generate_series(1, 20000) i;
    INSERT INTO b SELECT i, i FROM generate_series(1, 1000) i;";
const OLDER: &str =
    "INSERT INTO a SELECT i, 'old' FROM generate_series(2, 101) i; INSERT INTO b VALUES (1, 7);";

const MOUNTED: &str = "mount -t tmpfs -o size=200m tmpfs \"$1\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_a_restore_and_the_next_one_works() {
    let test = "restoring::full_disks::a_full_disk_ends_a_restore_and_the_next_one_works";
    let Some(disk) = may_mount().then(|| in_mount_namespace(test, MOUNTED)).flatten() else { return };
    let log = folder();
    let Some(server) = PrivateServer::create(&disk.join("data"), &log.path().join("log")).await else {
        return;
    };
    let Some(archive) = archive().await else { return };
    for (may_be_replica, mode, room) in [
        (false, Mode::IntoEmpty, ROWS_MIB / 2),
        (false, Mode::Merge, ROWS_MIB / 2),
        (true, Mode::Replace, ROWS_MIB / 2),
        // The rows can be staged, but do not fit a second time.
        (false, Mode::Replace, ROWS_MIB * 3 / 2),
        (true, Mode::Replace, ROWS_MIB * 3 / 2),
    ] {
        let database = Owned::create_at(&server.url, "full", may_be_replica).await;
        let what = format!("{mode:?} {may_be_replica} {room}");
        let before = made(&database, mode).await;
        let ballast = fill(&disk, room);
        let error = restore(&database.url, &archive, &archive.wanted(mode)).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("No space left on device (SQLSTATE 53100)"), "{what}: {said}");
        assert!(said.contains("Check free disk space"), "{what}: {said}");
        assert_eq!(error.kind(), Kind::Precondition, "{what}");
        is_as(&database, &before, &what).await;
        std::fs::remove_file(ballast).unwrap();
        works(&database, &archive, mode, &before.0, &what).await;
        database.drop().await;
    }
}

/// A server without space for its log terminates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_for_want_of_room_has_its_old_rows() {
    let test = "restoring::full_disks::a_server_that_ends_for_want_of_room_has_its_old_rows";
    let Some(disk) = may_mount().then(|| in_mount_namespace(test, MOUNTED)).flatten() else { return };
    let Some(archive) = archive().await else { return };
    // The rows cannot even be staged; or they can, but do not fit a second time.
    for (mode, room) in
        [(Mode::IntoEmpty, ROWS_MIB / 2), (Mode::Replace, ROWS_MIB / 2), (Mode::Replace, ROWS_MIB * 3 / 2)]
    {
        // A server would reuse the space of an old log.
        let (data, log) = (folder(), disk.join("log"));
        let Some(mut server) = PrivateServer::create(&data.path().join("data"), &log).await else { return };
        let database = Owned::create_at(&server.url, "ended", false).await;
        let what = format!("{mode:?} {room}");
        let before = made(&database, mode).await;
        let ballast = fill(&disk, room);
        let error = restore(&database.url, &archive, &archive.wanted(mode)).await.unwrap_err();
        let said = error.to_string();
        let is_told = said.contains("No space left on device") || said.contains("its disk is full");
        assert!(is_told, "{what}: {said}");
        server.kill();
        assert!(server.said().contains("No space left on device"), "{}", server.said());
        std::fs::remove_file(ballast).unwrap();
        server.start().await;
        is_as(&database, &before, &what).await;
        works(&database, &archive, mode, &before.0, &what).await;
        drop(server);
        std::fs::remove_dir_all(log).unwrap();
    }
}

/// A namespace created by another user contains no user as which PostgreSQL could run.
fn may_mount() -> bool {
    let may = geteuid().is_root();
    if !may {
        eprintln!("skipped: only root can give a PostgreSQL server a disk of its own");
    }
    may
}

async fn archive() -> Option<Archive> {
    let old = Owned::create(PLAIN, "full_old").await?;
    old.run(&format!("{MADE} {ROWS}")).await;
    let archive = Archive::of(&old.url).await;
    old.drop().await;
    Some(archive)
}

type Before = (Vec<(String, Vec<String>)>, std::collections::BTreeSet<String>);

async fn made(database: &Owned, mode: Mode) -> Before {
    database.run(MADE).await;
    if mode != Mode::IntoEmpty {
        database.run(OLDER).await;
    }
    (Archive::of(&database.url).await.content(), database.dumped())
}

/// Fills the disk until only `mib` MiB are free.
fn fill(disk: &Path, mib: u64) -> std::path::PathBuf {
    let found = statvfs(disk).unwrap();
    let free = found.f_bavail * found.f_frsize;
    let ballast = disk.join("ballast");
    let size = usize::try_from(free - (mib << 20)).unwrap();
    std::fs::write(&ballast, vec![0; size]).unwrap();
    ballast
}

/// Everything is as before, and after the restore is discarded nothing of it remains.
async fn is_as(database: &Owned, before: &Before, what: &str) {
    let mut discarding = target(&database.url).await;
    discarding.end_sessions(ID).await.unwrap();
    assert_eq!(discarding.state_of(ID).await.unwrap(), Some(RestoreState::Staged), "{what}");
    assert_eq!(Archive::of(&database.url).await.content(), before.0, "{what}");
    discard(&mut discarding, ID).await;
    discarding.close().await;
    assert_eq!(database.dumped(), before.1, "{what}");
    let ours = "SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'";
    assert_eq!(database.value::<i64>(ours).await, 0, "{what}");
}

async fn works(
    database: &Owned,
    archive: &Archive,
    mode: Mode,
    before: &[(String, Vec<String>)],
    what: &str,
) {
    restore(&database.url, archive, &archive.wanted(mode)).await.unwrap();
    if mode != Mode::Merge {
        assert_eq!(Archive::of(&database.url).await.content(), archive.content(), "{what}");
    }
    roll_back(&database.url, ID, mode == Mode::IntoEmpty).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), before, "{what}");
}
