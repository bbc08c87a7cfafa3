//! The shell of a reader who types a page.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use e2e::{Dev, finish, free_port, program};

use super::page::{Step, is_shown};

const PATIENCE: Duration = Duration::from_secs(120);

/// Separates the output of two commands; nothing else prints it.
const MARK: &str = "-- the next command of the page --";

/// Types the passphrase when `age` asks for it. Background processes end with the shell.
const PROLOGUE: &str = "set -u\nexec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n\
    age() { python3 -c \"$AT_A_TERMINAL\" \"$(cat passphrase)\" age \"$@\"; }\n";

/// A folder, and the services that its commands call.
pub(super) struct Shell {
    folder: PathBuf,
    ports: (u16, u16),
    token_file: Option<&'static str>,
}

impl Shell {
    /// A shell in the folder of a running `dev`.
    pub(super) fn beside(dev: &Dev) -> Self {
        Self { folder: dev.path(""), ports: dev.ports(), token_file: Some("data/admin.token") }
    }

    /// A shell in a folder without services: the page starts both.
    pub(super) fn in_an_empty_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ports: (free_port(), free_port()), token_file: None }
    }

    /// Ports of the vault and of the backup service.
    pub(super) fn ports(&self) -> (u16, u16) {
        self.ports
    }

    /// Runs the steps in one shell and compares each one's output, on either channel.
    pub(super) fn run(&self, steps: &[Step]) {
        let mut script = PROLOGUE.to_owned();
        for step in steps {
            script.push_str(&format!("{}\necho '{MARK}'\n", step.command));
        }
        let (vault, backup) = self.ports;
        for (written, port) in [("7601", vault), ("7602", backup)] {
            for host in ["localhost", "127.0.0.1"] {
                script = script.replace(&format!("{host}:{written}"), &format!("127.0.0.1:{port}"));
            }
        }
        let text = finish(&mut self.command(&script), b"", PATIENCE).text();
        let printed: Vec<&str> = text.split(&format!("{MARK}\n")).collect();
        assert_eq!(printed.len(), steps.len() + 1, "the shell ended early:\n{text}");
        for (step, printed) in steps.iter().zip(printed) {
            compare(step, printed);
        }
    }

    fn command(&self, script: &str) -> Command {
        let strongroom = program("strongroom");
        let mut shell = Command::new("bash");
        // The environment of a test's programs also applies to programs that the page starts.
        for (name, value) in strongroom.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let built = Path::new(strongroom.get_program()).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&path))).unwrap();
        shell
            .args(["-c", script])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("STRONGROOM_VAULT_URL", format!("http://127.0.0.1:{}", self.ports.0))
            .env("STRONGROOM_BACKUP_URL", format!("http://127.0.0.1:{}", self.ports.1))
            .env("AT_A_TERMINAL", include_str!("../../src/at_a_terminal.py"));
        if self.token_file.is_none() {
            let (vault, backup) = self.ports;
            shell.env("STRONGROOM_VAULT__LISTEN", format!("127.0.0.1:{vault}"));
            shell.env("STRONGROOM_BACKUP__LISTEN", format!("127.0.0.1:{backup}"));
        }
        if let Some(file) = self.token_file {
            shell.env("STRONGROOM_TOKEN_FILE", file);
        }
        shell
    }
}

/// A command without shown output must not print an error.
fn compare(step: &Step, printed: &str) {
    let told = format!("$ {}\n{printed}", step.command);
    let mut lines = printed.lines();
    for shown in &step.shown {
        assert!(lines.any(|line| is_shown(line, shown)), "the page shows: {shown}\nprinted: {told}");
    }
    let fails = step.shown.iter().any(|line| line.starts_with("error: "));
    assert_eq!(printed.lines().any(|line| line.starts_with("error: ")), fails, "{told}");
    assert!(!printed.contains("command not found") && !printed.contains("unbound variable"), "{told}");
}
