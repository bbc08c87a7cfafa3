//! Operators' present tools, with the commands that they type.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::data::TABLE;
use super::recovery::{Recovery, check};
use super::{Sample, memory};
use crate::processors;

/// Interval at which a pipeline's memory is sampled.
const LOOK: Duration = Duration::from_millis(20);
/// The password that restic requires for the repository.
pub(crate) const RESTIC_PASSWORD: &str = "only-a-bench";

/// Another way to make a backup.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// The command for bash; `$URL`, `$TABLE` and `$OUT` are set.
    line: &'static str,
    /// Whether `line` writes to standard output. If not, it seals its own files in `$OUT`.
    streams: bool,
    /// A command that prints the rows from `$OUT`.
    unpack: &'static str,
}

/// The slowest last.
pub(super) const PEERS: [Peer; 4] = [
    Peer {
        name: "pg_dump | zstd -3",
        line: "pg_dump \"$URL\" | zstd -q -3",
        streams: true,
        unpack: "zstd -dcq <\"$OUT\"",
    },
    Peer {
        name: "pg_dump | restic",
        line: "pg_dump \"$URL\" | restic -q -r \"$OUT\" backup --stdin",
        streams: false,
        unpack: "restic -q -r \"$OUT\" dump latest stdin",
    },
    Peer {
        name: "pg_dump -Fc",
        line: "pg_dump -Fc \"$URL\"",
        streams: true,
        unpack: "pg_restore -f - \"$OUT\"",
    },
    Peer {
        name: "psql row_to_json | zip",
        line: "psql -qAt \"$URL\" -c \"COPY (SELECT row_to_json(t) FROM $TABLE t) TO STDOUT\" | zip -q - -",
        streams: true,
        unpack: "unzip -p \"$OUT\"",
    },
];

impl Peer {
    /// Runs the command once and leaves its file in `folder`. Like ours, the file reaches the disk before the clock
    /// stops.
    pub(super) fn run(&self, url: &str, folder: &Path, recovery: Option<&Recovery>) -> Sample {
        let out = folder.join("peer");
        assert!(bash("rm -rf \"$OUT\"", url, &out).status().unwrap().success());
        if !self.streams {
            assert!(bash("restic -q -r \"$OUT\" init", url, &out).status().unwrap().success());
        }
        let mut sample = timed(bash(&self.script(recovery), url, &out));
        sample.size = size_of(&out);
        sample
    }

    /// Panics unless the file of the last run has `rows` rows.
    pub(super) fn check(&self, url: &str, folder: &Path, recovery: Option<&Recovery>, rows: u64) {
        let out = folder.join("peer");
        let opened = recovery.filter(|_| self.streams).map(|recovery| recovery.open(&out));
        check(bash(self.unpack, url, opened.as_deref().unwrap_or(&out)), rows);
        opened.inspect(|opened| std::fs::remove_file(opened).unwrap());
    }

    fn script(&self, recovery: Option<&Recovery>) -> String {
        let seal = recovery.map(|recovery| format!(" | age -r {}", recovery.recipient)).unwrap_or_default();
        let to_file = if self.streams { format!("{seal} >\"$OUT\"") } else { String::new() };
        format!("set -o pipefail\n{}{to_file} && sync \"$OUT\"", self.line)
    }
}

/// Runs a command that is its own process group; does not set `size`.
pub(crate) fn timed(mut command: Command) -> Sample {
    let (began, busy) = (Instant::now(), processors::busy());
    let mut child = command.spawn().unwrap();
    let mut memory = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        memory = memory.max(memory::of_group(child.id()));
        std::thread::sleep(LOOK);
    };
    let seconds = began.elapsed().as_secs_f64();
    let processors = processors::busy() - busy;
    assert!(status.success(), "{command:?}: {status}");
    Sample { seconds, processors, memory, size: 0, first_byte: None }
}

fn bash(script: &str, url: &str, out: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", script])
        .env("URL", url)
        .env("TABLE", TABLE)
        .env("OUT", out)
        .env("RESTIC_PASSWORD", RESTIC_PASSWORD)
        .env("RESTIC_CACHE_DIR", out.with_extension("cache"))
        .process_group(0)
        .stdin(Stdio::null());
    command
}

/// Bytes of a file, or of all files below a folder.
fn size_of(path: &Path) -> u64 {
    if path.is_file() {
        return path.metadata().unwrap().len();
    }
    path.read_dir().unwrap().map(|entry| size_of(&entry.unwrap().path())).sum()
}
