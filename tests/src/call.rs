//! A program run to its end, with given input and captured output.

use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The result of a program.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

/// Runs `command` to its end with `stdin` as its input.
///
/// # Panics
/// If it cannot be started or runs longer than `within`.
#[must_use]
pub fn finish(command: &mut Command, stdin: &[u8], within: Duration) -> Finished {
    let line = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
    let mut input = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program may end without reading all its input.
    let writer = std::thread::spawn(move || input.write_all(&stdin));
    let finished = end_of(line, child, within);
    let _ = writer.join().unwrap();
    finished
}

/// Starts `command` without input and reads none of its output until [`Unread::finish`]: the program stalls when the
/// pipe is full.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn start_unread(command: &mut Command) -> Unread {
    let line = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
    Unread { line, child }
}

/// A program whose output is not read.
#[derive(Debug)]
pub struct Unread {
    line: String,
    child: Child,
}

impl Unread {
    /// Reads all output and waits for the end.
    ///
    /// # Panics
    /// If that takes longer than `within`.
    #[must_use]
    pub fn finish(self, within: Duration) -> Finished {
        end_of(self.line, self.child, within)
    }

    /// Kills the program (SIGKILL) and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn end_of(line: String, mut child: Child, within: Duration) -> Finished {
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let end = Instant::now() + within;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            let said = stderr.join().unwrap();
            panic!("{line}: still running after {within:?}; it said: {}", String::from_utf8_lossy(&said));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let stderr = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
    Finished { line, code: status.code(), stdout: stdout.join().unwrap(), stderr }
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Finished {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Standard output as one JSON document.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| {
            panic!("{}: {error}: {}", self.line, String::from_utf8_lossy(&self.stdout))
        })
    }

    /// All its output, from both channels.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }

    /// Fails the test unless the exit code is 0.
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.line, self.said());
        self
    }

    /// Fails the test unless the program ended with `code` and exactly one plain sentence, on one line, on standard
    /// error, and returns that sentence. A panic or a dump is not a sentence. With `-o json` the sentence is the
    /// message of an object.
    #[must_use]
    pub fn failed_with(&self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.line, self.said());
        assert!(!self.stderr.contains("panicked at"), "{}\n{}", self.line, self.stderr);
        let errors: Vec<String> = self.stderr.lines().filter_map(error_in).collect();
        assert_eq!(errors.len(), 1, "{} says one sentence\n{}", self.line, self.stderr);
        errors.into_iter().next().unwrap()
    }
}

fn error_in(line: &str) -> Option<String> {
    if line.starts_with("error: ") {
        return Some(line.to_owned());
    }
    let document: Value = serde_json::from_str(line).ok()?;
    let is_error = document["code"].is_string() && document["reason"].is_string();
    is_error.then(|| format!("error: {}", document["message"].as_str().unwrap_or_default()))
}
