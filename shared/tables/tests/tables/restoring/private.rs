//! A PostgreSQL server for one test, which can die or run out of disk space without affecting others.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

/// Maximum time for a server to start, including recovery.
const STARTING: Duration = Duration::from_secs(60);

/// The operating system outlives the server, so nothing has to reach the disk. The write-ahead log recycles no segments, and
/// grows until the test is over.
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "min_wal_size=2MB",
    "max_wal_size=8GB",
];

pub struct PrivateServer {
    programs: PathBuf,
    data: PathBuf,
    /// The folder of the server's output.
    beside: TempDir,
    port: u16,
    postmaster: Option<Child>,
    pub url: String,
}

impl PrivateServer {
    /// Creates a server with its data in the directory `data` and its write-ahead log in the directory `log`, neither of
    /// which exists yet. `None`, with a message, if no server is installed.
    pub async fn create(data: &Path, log: &Path) -> Option<Self> {
        let programs = programs()?;
        let beside = folder();
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.arg("-D").arg(data).arg("-X").arg(log).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        let output = initdb.args(["--locale=C", "--wal-segsize=1", "--no-sync"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut server = Self { programs, data: data.to_owned(), beside, port, postmaster: None, url };
        server.start().await;
        Some(server)
    }

    /// Starts the server and waits until it accepts sessions, even after a crash.
    pub async fn start(&mut self) {
        assert!(self.postmaster.is_none(), "it runs");
        let printed = File::options().append(true).create(true).open(self.printed()).unwrap();
        let mut postgres = unprivileged(&self.programs.join("postgres"));
        postgres.arg("-D").arg(&self.data).args(["-p", &self.port.to_string()]);
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        self.postmaster = Some(postgres.stdout(Stdio::null()).stderr(printed).spawn().unwrap());
        let began = Instant::now();
        while let Err(error) = PgConnection::connect(&self.url).await {
            assert!(began.elapsed() < STARTING, "{error}\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the server as a power failure would, except that data in the operating system's cache is not lost. The
    /// processes are in groups of their own, so they are killed one by one; the first one is stopped beforehand, so
    /// that it starts no new ones.
    pub fn kill(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let first = Pid::from_child(&postmaster);
        // It may have ended on its own.
        let _ = kill_process(first, Signal::STOP);
        let others = children(first);
        for process in others.iter().copied().chain([first]) {
            let _ = kill_process(process, Signal::KILL);
        }
        postmaster.wait().unwrap();
        let began = Instant::now();
        while others.iter().any(|process| is_running(*process)) {
            assert!(began.elapsed() < STARTING, "its processes do not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The server's output.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.printed()).unwrap()
    }

    fn printed(&self) -> PathBuf {
        self.beside.path().join("printed")
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A directory that the server's user can write to.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        let nobody = Command::new("chown").arg("nobody:nogroup").arg(folder.path()).status().unwrap();
        assert!(nobody.success());
    }
    folder
}

/// The directory of the newest version. Debian keeps servers off the PATH.
fn programs() -> Option<PathBuf> {
    let output = Command::new("sh")
        .args([
            "-c",
            "ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1; command -v initdb",
        ])
        .output()
        .unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let folder = found.lines().find_map(|line| Some(Path::new(line).parent()?.to_owned()));
    if folder.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no PostgreSQL server is installed");
        eprintln!("skipped: no PostgreSQL server is installed");
    }
    folder
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let mut command = match geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.current_dir("/");
    command
}

fn children(parent: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(process) = process else { continue };
        if stat(process).is_some_and(|(_, of)| of == parent.as_raw_nonzero().get()) {
            found.push(process);
        }
    }
    found
}

fn is_running(process: Pid) -> bool {
    stat(process).is_some_and(|(state, _)| state != "Z")
}

/// The state and parent of a process: the fields after its name, which can contain anything (proc_pid_stat(5)).
fn stat(process: Pid) -> Option<(String, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
