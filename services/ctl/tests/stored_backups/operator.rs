//! Runs the commands as an operator does.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

/// `strongroom` with these arguments, in `folder`, with the service at `url`.
pub(crate) fn strongroom(url: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.args(arguments);
    of(&mut command, url, folder);
    command
}

fn of(command: &mut Command, url: &str, folder: &Path) {
    command.env("STRONGROOM_BACKUP_URL", url).env("STRONGROOM_TOKEN", "srt_operator").current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
}

/// Runs it to its end.
pub(crate) async fn run(url: &str, folder: &Path, arguments: &[&str]) -> Ended {
    ended(strongroom(url, folder, arguments).spawn().unwrap()).await
}

/// [`run`] at its own terminal, where each question gets `answer`.
pub(crate) async fn at_a_terminal(url: &str, folder: &Path, answer: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new("python3");
    let terminal = include_str!("../../../../tests/src/at_a_terminal.py");
    command.args(["-c", terminal, answer, env!("CARGO_BIN_EXE_strongroom")]).args(arguments);
    of(&mut command, url, folder);
    ended(command.spawn().unwrap()).await
}

pub(crate) async fn ended(child: Child) -> Ended {
    let output =
        tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), said: text(output.stderr) }
}

/// Does what Ctrl-C does.
pub(crate) async fn interrupt(child: &Child) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
}

/// Waits until `is_so` returns true.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come about in 12 s");
}
