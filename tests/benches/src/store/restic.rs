//! The same database through `pg_dump` and restic, into a repository of the same kind.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use strongroom_testkit::s3::{BUCKET, KEYS};

use super::ours::Cost;
use super::s3::Server;
use crate::export::{RESTIC_PASSWORD, timed};

/// A repository that is recreated for each backup.
pub(super) struct Restic {
    url: String,
    /// Its address in restic's syntax.
    repository: String,
    /// Its folder and its cache folder.
    folders: [PathBuf; 2],
}

impl Restic {
    /// A repository below `folder`.
    pub(super) fn local(folder: &Path, url: &str) -> Self {
        let files = folder.join("restic");
        let repository = files.to_str().unwrap().to_owned();
        Self { url: url.to_owned(), repository, folders: [files, folder.join("cache")] }
    }

    /// A repository in the bucket of `s3`.
    pub(super) fn remote(folder: &Path, url: &str, s3: &Server) -> Self {
        let repository = format!("s3:{}/{BUCKET}/restic", s3.endpoint);
        Self { url: url.to_owned(), repository, folders: [s3.folder.join("restic"), folder.join("cache")] }
    }

    /// One backup into an empty repository, which is created before the clock starts.
    pub(super) fn run(&self, s3: &Server) -> Cost {
        for folder in &self.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        assert!(self.bash("restic -q init").status().unwrap().success(), "restic cannot make a repository");
        let server = s3.busy();
        let sample = timed(self.bash("pg_dump \"$URL\" | restic -q backup --stdin"));
        Cost {
            seconds: sample.seconds,
            processors: sample.processors.as_secs_f64(),
            server: (s3.busy() - server).as_secs_f64(),
            completion: 0.0,
            memory: sample.memory,
        }
    }

    fn bash(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("set -o pipefail\n{line}")])
            .env("URL", &self.url)
            .env("RESTIC_REPOSITORY", &self.repository)
            .env("RESTIC_PASSWORD", RESTIC_PASSWORD)
            .env("RESTIC_CACHE_DIR", &self.folders[1])
            .env("AWS_ACCESS_KEY_ID", KEYS.0)
            .env("AWS_SECRET_ACCESS_KEY", KEYS.1)
            .process_group(0)
            .stdin(Stdio::null());
        command
    }
}
