//! A PostgreSQL server for one test, which can stop and restart it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::call::{Finished, finish};
use crate::program::repository;

const PATIENCE: Duration = Duration::from_secs(120);

/// A server on its own port; stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: String,
}

impl Postgres {
    /// Starts a server as `tests/run` does; `None` if this run has no PostgreSQL.
    #[must_use]
    pub fn start() -> Option<Self> {
        std::env::var_os("TEST_DATABASE_URL")?;
        let folder = tempfile::tempdir().unwrap();
        let script = "find_postgres && start_postgres \"$1/server\" && echo \"$TEST_DATABASE_URL\"";
        let started = run(folder.path(), &format!("unset TEST_DATABASE_URL; {script}"));
        if started.code != Some(0) {
            // TEST_DATABASE_URL may point to a server elsewhere.
            assert!(std::env::var_os("CI").is_none(), "CI needs PostgreSQL here: {}", started.said());
            crate::tool::report_skip("a PostgreSQL server that a test may stop");
            return None;
        }
        let url = started.text();
        let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).unwrap().to_owned();
        Some(Self { folder, port })
    }

    /// URL of its first database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it as an upgrade does: running statements are aborted.
    pub fn stop(&self) {
        let _ = self.control("-m fast stop").succeeded();
    }

    /// Restarts it on the same port.
    pub fn restart(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", self.port);
        let _ = self.control(&format!("-l \"$1/server/log\" -w -t 60 start -o '{options}'")).succeeded();
    }

    fn control(&self, what: &str) -> Finished {
        let script = format!(
            "find_postgres && as_postgres \"$postgres_bin/pg_ctl\" -D \"$1/server/data\" {what} >/dev/null"
        );
        run(self.folder.path(), &script)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.control("-m immediate stop");
    }
}

fn run(folder: &Path, script: &str) -> Finished {
    let script = format!("set -u; missing() {{ return 1; }}; source tests/postgres.sh; {script}");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(folder).current_dir(repository());
    finish(&mut command, b"", PATIENCE)
}
