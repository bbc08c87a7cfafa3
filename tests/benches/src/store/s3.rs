//! The S3 server of the measurement: another process of this program.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use http::Method;
use strongroom_testkit::S3;
use strongroom_testkit::s3::{BUCKET, KEYS, Recorded};
use tokio::io::{AsyncBufReadExt as _, BufReader as AsyncBufReader};

use crate::processors;

/// Serves until standard input ends. Answers each input line with the duration of the last upload completion.
pub(crate) async fn serve() {
    let s3 = S3::start_joining().await;
    println!("{} {}", s3.endpoint(), s3.bucket_folder().display());
    let mut questions = AsyncBufReader::new(tokio::io::stdin()).lines();
    while questions.next_line().await.unwrap().is_some() {
        println!("{}", completion(&s3.requests()).as_secs_f64());
    }
}

/// Time from the arrival of the last request that completes an upload to that of the next request, which waits for the
/// answer.
fn completion(requests: &[Recorded]) -> Duration {
    let is_completion =
        |request: &Recorded| request.method == Method::POST && request.query.contains("uploadId=");
    let last = requests.iter().rposition(is_completion);
    let next = last.and_then(|last| Some((&requests[last], requests.get(last + 1)?)));
    next.map_or(Duration::ZERO, |(completion, next)| next.time - completion.time)
}

/// A running server.
pub(super) struct Server {
    process: Child,
    /// Pipes for questions and answers.
    talk: RefCell<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    pub(super) endpoint: String,
    /// The folder in which the bucket's objects are files.
    pub(super) folder: PathBuf,
}

impl Server {
    pub(super) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("s3").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        answers.read_line(&mut line).unwrap();
        let (endpoint, folder) = line.trim().split_once(' ').unwrap();
        let talk = RefCell::new(Some((process.stdin.take().unwrap(), answers)));
        Self { endpoint: endpoint.to_owned(), folder: folder.into(), talk, process }
    }

    /// Duration of the last upload completion in seconds.
    pub(super) fn completion(&self) -> f64 {
        let mut talk = self.talk.borrow_mut();
        let (questions, answers) = talk.as_mut().unwrap();
        questions.write_all(b"\n").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Its processor time so far.
    pub(super) fn busy(&self) -> Duration {
        processors::of(self.process.id())
    }

    /// A destination called `bucket`; its credentials are written below `folder`.
    pub(super) fn destination(&self, folder: &Path) -> String {
        let credentials = folder.join("s3.credentials");
        strongroom_testkit::write_private(&credentials, S3::credentials(KEYS).as_bytes());
        format!(
            "[[destinations]]\nname = \"bucket\"\nurl = \"s3://{BUCKET}/strongroom\"\nendpoint = \"{}\"\n\
             region = \"us-east-1\"\npath_style = true\nplaintext = true\ncredentials_file = \"{}\"\n",
            self.endpoint,
            credentials.display(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.talk.take());
        self.process.wait().unwrap();
    }
}
