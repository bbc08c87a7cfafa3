//! A service as a child process: started, watched, terminated or killed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::wait::eventually;

/// Time limit for a start: a loaded machine with an unoptimised build.
const START: Duration = Duration::from_secs(60);
/// Time limit for a stop: the 20 s after which a service cuts off its calls (`shutdown::DRAIN`), and 5 s more.
const STOP: Duration = Duration::from_secs(25);

/// Number of log lines that a failed test shows.
const LAST_WORDS: usize = 30;

/// A running child process; killed when dropped.
#[derive(Debug)]
pub struct Service {
    line: String,
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Service {
    /// Starts `command`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
        let stdout = follow(child.stdout.take().unwrap());
        let stderr = follow(child.stderr.take().unwrap());
        Self { line, child, stdout, stderr }
    }

    /// Waits for the line `ready` on standard output.
    pub fn wait_until_ready(&mut self) {
        let stdout = Arc::clone(&self.stdout);
        self.wait_for("the line `ready`", || stdout.lock().unwrap().lines().any(|line| line == "ready"));
    }

    /// Waits until `port` accepts connections.
    pub fn wait_until_listening(&mut self, port: u16) {
        self.wait_until_listening_on(("127.0.0.1", port));
    }

    /// Waits until `port` of `host` accepts connections.
    pub fn wait_until_listening_on(&mut self, (host, port): (&str, u16)) {
        self.wait_for("an open port", || TcpStream::connect((host, port)).is_ok());
    }

    fn wait_for(&mut self, what: &str, mut come: impl FnMut() -> bool) {
        let what = format!("{}: {what}", self.line);
        eventually(&what, START, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{what}: it ended first, with {status}\n{}", self.log());
            }
            come().then_some(())
        });
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Its standard output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// If the process does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_until_ended()
    }

    /// Waits for the end.
    pub fn wait_until_ended(&mut self) -> ExitStatus {
        eventually(&format!("{}: the end after SIGTERM\n", self.line), STOP, || {
            self.child.try_wait().unwrap()
        })
    }

    /// Sends a signal, such as `HUP`.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn signal(&self, name: &str) {
        // The standard library can send only SIGKILL.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status().unwrap();
        assert!(sent.success());
    }

    /// Kills the process (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its peak memory in bytes (`VmHWM` of proc(5)).
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Service {
    #[expect(clippy::print_stderr, reason = "shown only when the test fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}\n{}", self.line, lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Collects lines until the pipe ends.
fn follow(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let lines = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    lines
}
