//! The same rows restored by PostgreSQL's own programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use strongroom_testkit::TestDb;

/// The output of `pg_dump` and `\copy` for the tables.
pub(super) struct Peers {
    url: String,
    custom: PathBuf,
    texts: PathBuf,
}

const TABLES: [&str; 2] = ["api_keys", "gateway_logs"];

impl Peers {
    pub(super) fn dump(database: &TestDb, folder: &Path) -> Self {
        let peers = Self {
            url: database.url_text().to_owned(),
            custom: folder.join("dump"),
            texts: folder.to_owned(),
        };
        let custom = peers.custom.display();
        peers.run(&format!("pg_dump -Fc --no-owner --no-privileges -f {custom} \"$URL\""));
        for table in TABLES {
            let file = peers.texts.join(table);
            peers.run(&format!("psql -q \"$URL\" -c '\\copy {table} TO {}'", file.display()));
        }
        peers
    }

    /// Restores into tables that it creates, in a separate database.
    pub(super) fn pg_restore(&self) -> f64 {
        let (server, _) = self.url.rsplit_once('/').unwrap();
        let fresh = format!("{server}/strongroom_bench_peer");
        self.run(&format!(
            "psql -q {server}/postgres -c 'DROP DATABASE IF EXISTS strongroom_bench_peer' \
             -c 'CREATE DATABASE strongroom_bench_peer TEMPLATE template0' -c CHECKPOINT"
        ));
        let seconds = self.run(&format!("pg_restore --no-owner -d {fresh} {}", self.custom.display()));
        self.run(&format!("psql -q {server}/postgres -c 'DROP DATABASE strongroom_bench_peer'"));
        seconds
    }

    /// Copies into the empty tables, with their indexes in place.
    pub(super) fn copy(&self) -> f64 {
        let copies: String = TABLES
            .iter()
            .map(|table| format!(" -c '\\copy {table} FROM {}'", self.texts.join(table).display()))
            .collect();
        self.run(&format!("psql -q \"$URL\"{copies}"))
    }

    fn run(&self, line: &str) -> f64 {
        let began = Instant::now();
        let mut command = Command::new("bash");
        command.args(["-c", line]).env("URL", &self.url).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{line}");
        began.elapsed().as_secs_f64()
    }
}
