//! Three replicas on one PostgreSQL with a bucket: one dies during a backup, and the others end the backup without a
//! restart.

use e2e::{eventually, long};
use strongroom_testkit::s3::{BUCKET, KEYS};
use strongroom_testkit::{S3, TestDb, write_private};

use super::creating::app_of;
use super::places::{CREATING, FAILED, Fate, Place};
use super::replica::{DECLARED, Replica, Start};
use super::site::Site;

/// The failpoints of the normal run.
const FEW: [&str; 5] =
    ["create.row", "create.part#2", "create.after_complete", "create.before_commit", "create.after_commit"];

struct Scene {
    runtime: tokio::runtime::Runtime,
    site: Site,
    database: TestDb,
    s3: S3,
    destinations: String,
}

impl Scene {
    /// `None` without PostgreSQL.
    fn set() -> Option<Self> {
        let database = TestDb::postgres()?;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (site, s3) = (Site::create(), runtime.block_on(S3::start()));
        let credentials = site.path("credentials");
        write_private(&credentials, S3::credentials(KEYS).as_bytes());
        let destinations = format!(
            "[[destinations]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/prefix\"\nendpoint = \"{}\"\n\
             region = \"us-east-1\"\npath_style = true\ncredentials_file = \"{}\"\n",
            s3.endpoint(),
            credentials.display()
        );
        Some(Self { runtime, site, database, s3, destinations })
    }

    fn start(&self, app: &str, failpoint: Option<&str>) -> Replica {
        let (site, database) = (&self.site, self.database.url_text());
        Start { site, app, database, destinations: &self.destinations, delete_delay_hours: 1, failpoint }
            .start()
    }

    /// Names of the objects below the prefix.
    fn objects(&self) -> Vec<String> {
        let folder = self.s3.bucket_folder().join("prefix");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Whether an upload of a file of `app` was aborted.
    fn is_aborted(&self, app: &str) -> bool {
        let of_app = format!("/{BUCKET}/prefix/{app}-backup-");
        let requests = self.s3.requests();
        requests.iter().any(|request| {
            request.method == "DELETE"
                && request.path.starts_with(&of_app)
                && request.query.contains("uploadId=")
        })
    }
}

fn places() -> Vec<Place> {
    let tested = |place: &&Place| {
        let is_of_buckets = place.name != FAILED && place.name != "folder.small_written";
        is_of_buckets && (long() || FEW.contains(&place.name))
    };
    CREATING.iter().filter(tested).copied().collect()
}

#[test]
fn replicas_that_outlive_another_end_its_backups_without_a_restart() {
    let Some(scene) = Scene::set() else { return };
    let survivors = [scene.start("second", None), scene.start("third", None)];
    for place in places() {
        let app = app_of(place.name);
        let mut dying = scene.start(&app, Some(place.name));
        dying.begin_backup(place.is_big);
        dying.wait_until_dead();
        let expected: &[&str] = match place.fate {
            Fate::Unknown => &[],
            Fate::Failed => &["BACKUP_STATE_FAILED"],
            Fate::Available => &["BACKUP_STATE_AVAILABLE"],
        };
        for survivor in &survivors {
            eventually(&format!("{}: {expected:?}", place.name), DECLARED, || {
                let backups = survivor.backups_of(&app);
                let settled = |backup: &&serde_json::Value| {
                    backup["copies"][0]["state"] != "BACKUP_COPY_STATE_ABORTING"
                };
                let states: Vec<_> = backups
                    .iter()
                    .filter(settled)
                    .map(|backup| backup["state"].as_str().unwrap().to_owned())
                    .collect();
                let is_closed = scene.site.count("backup.created", &app) == place.events.1;
                (states == expected && is_closed).then_some(())
            });
        }
        let left = scene.objects().iter().filter(|name| name.starts_with(&app)).count();
        let has_sent = place.is_big && place.fate == Fate::Failed;
        assert_eq!(left, if place.fate == Fate::Available { 2 } else { 0 }, "{}", place.name);
        assert!(!has_sent || scene.is_aborted(&app), "{}: the upload is still open", place.name);
        if place.fate == Fate::Available {
            let backups = survivors[0].backups_of(&app);
            survivors[0].gives_back(backups[0]["id"].as_str().unwrap(), &scene.site.path(""));
        }
    }
    for survivor in &survivors {
        let _ = survivor.makes_a_backup();
    }
    drop(survivors);
    let Scene { runtime, s3, .. } = scene;
    drop(s3);
    drop(runtime);
}
