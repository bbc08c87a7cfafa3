//! What operators do today, as they type it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::data::TABLE;
use super::{Sample, memory, processors};

/// How often the memory of a pipeline is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The repository's, which restic wants.
const RESTIC_PASSWORD: &str = "only-a-bench";

/// A way to make a backup.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// What bash runs; `$URL`, `$TABLE` and `$OUT` are set.
    line: &'static str,
    /// Whether `line` writes to standard output. If not, it seals what it keeps in `$OUT` by itself.
    streams: bool,
}

/// The slow ones last.
pub(super) const PEERS: [Peer; 4] = [
    Peer { name: "pg_dump | zstd -3", line: "pg_dump \"$URL\" | zstd -q -3", streams: true },
    Peer {
        name: "pg_dump | restic",
        line: "pg_dump \"$URL\" | restic -q -r \"$OUT\" backup --stdin",
        streams: false,
    },
    Peer { name: "pg_dump -Fc", line: "pg_dump -Fc \"$URL\"", streams: true },
    Peer {
        name: "psql row_to_json | zip",
        line: "psql -qAt \"$URL\" -c \"COPY (SELECT row_to_json(t) FROM $TABLE t) TO STDOUT\" | zip -q - -",
        streams: true,
    },
];

impl Peer {
    /// Runs it once. Its file reaches the disk before the clock stops, as ours does.
    pub(super) fn run(&self, url: &str, folder: &Path, recipient: Option<&str>) -> Sample {
        let out = folder.join("peer");
        if !self.streams {
            bash("restic -q -r \"$OUT\" init", url, &out).spawn().unwrap().wait().unwrap();
        }
        let mut command = bash(&self.script(recipient), url, &out);
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
        assert!(status.success(), "{}: {status}", self.name);
        let size = size_of(&out);
        bash("rm -rf \"$OUT\"", url, &out).status().unwrap();
        Sample { seconds, processors, memory, size, first_byte: None }
    }

    fn script(&self, recipient: Option<&str>) -> String {
        let seal = recipient.map(|recipient| format!(" | age -r {recipient}")).unwrap_or_default();
        let to_file = if self.streams { format!("{seal} >\"$OUT\"") } else { String::new() };
        format!("set -o pipefail\n{}{to_file} && sync \"$OUT\"", self.line)
    }
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

/// A recipient whose private half stays in `folder`.
pub(super) fn new_recipient(folder: &Path) -> String {
    let key = folder.join("recovery.key");
    assert!(Command::new("age-keygen").arg("-o").arg(&key).stderr(Stdio::null()).status().unwrap().success());
    let text = std::fs::read_to_string(key).unwrap();
    text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
}
