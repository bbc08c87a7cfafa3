//! The operator's page, and the recovery chapter of the README, run as written: every command in its order, each printing
//! what the page says.
//!
//! In the page `…` stands for what differs from time to time. A block of TOML is added to the configuration, and
//! both services start again.

use std::process::Command;
use std::time::Duration;

use e2e::{Dev, finish, program, repository, tool};

const PATIENCE: Duration = Duration::from_secs(120);

/// Between two commands' output; nothing else prints it.
const MARK: &str = "-- the next command of the page --";

/// Types the passphrase where `age` asks for it.
const AGE_AT_A_TERMINAL: &str = "age() { python3 -c \"$AT_A_TERMINAL\" \"$(cat passphrase)\" age \"$@\"; }\n";

/// A command and the lines that the page shows below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// What happens between two starts of the services.
#[derive(Default)]
struct Act {
    steps: Vec<Step>,
    /// Added to the configuration afterwards.
    toml: String,
}

fn acts(page: &str) -> Vec<Act> {
    let mut acts = vec![Act::default()];
    let mut language = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(opening), None) => language = Some(opening),
            (Some(_), Some(closed)) => {
                language = None;
                if closed == "toml" {
                    acts.push(Act::default());
                }
            }
            (None, Some("toml")) => {
                let toml = &mut acts.last_mut().unwrap().toml;
                toml.push_str(line);
                toml.push('\n');
            }
            (None, Some("console")) => console(&mut acts.last_mut().unwrap().steps, line),
            _ => {}
        }
    }
    acts
}

/// One line of a console: a command, its continuation, or what it prints.
fn console(steps: &mut Vec<Step>, line: &str) {
    if let Some(command) = line.strip_prefix("$ ") {
        steps.push(Step { command: command.to_owned(), shown: Vec::new() });
        return;
    }
    let step = steps.last_mut().expect("a console begins with a command");
    if step.command.ends_with('\\') {
        step.command.push('\n');
        step.command.push_str(line);
    } else {
        step.shown.push(line.to_owned());
    }
}

/// Whether `line` is `shown`, whose `…` stand for anything.
fn is_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let found = if parts.peek().is_none() {
            rest.ends_with(part).then_some(rest.len())
        } else {
            rest.find(part).map(|place| place + part.len())
        };
        let Some(end) = found else { return false };
        rest = &rest[end..];
    }
    rest.is_empty()
}

/// Runs the steps in one shell and compares what each prints, on either channel.
fn run(dev: &Dev, steps: &[Step]) {
    let ports = dev.ports();
    let mut script = String::from("set -u\nexec 2>&1\n");
    script.push_str(AGE_AT_A_TERMINAL);
    for step in steps {
        script.push_str(&format!("{}\necho '{MARK}'\n", step.command));
    }
    let script = script
        .replace("localhost:7601", &format!("127.0.0.1:{}", ports.0))
        .replace("localhost:7602", &format!("127.0.0.1:{}", ports.1));
    let built = program("strongroom").get_program().to_owned();
    let folder = std::path::Path::new(&built).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", &script])
        .current_dir(dev.path(""))
        .env("PATH", path)
        .env("STRONGROOM_VAULT_URL", &dev.admin.vault_url)
        .env("STRONGROOM_BACKUP_URL", &dev.admin.backup_url)
        .env("STRONGROOM_TOKEN_FILE", "data/admin.token")
        .env("AT_A_TERMINAL", include_str!("../src/at_a_terminal.py"));
    let text = finish(&mut shell, b"", PATIENCE).text();
    let printed: Vec<&str> = text.split(&format!("{MARK}\n")).collect();
    assert_eq!(printed.len(), steps.len() + 1, "the shell ended early:\n{text}");
    for (step, printed) in steps.iter().zip(printed) {
        compare(step, printed);
    }
}

/// A command of which nothing is shown must not fail aloud.
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

/// Runs the acts, each with the configuration that the one before it ends with.
fn play(acts: Vec<Act>) {
    let mut dev = Dev::start("");
    for act in acts {
        run(&dev, &act.steps);
        if !act.toml.is_empty() {
            let file = dev.path("strongroom.toml");
            let config =
                std::fs::read_to_string(&file).unwrap() + &act.toml.replace("age1…", &recipient(&dev));
            std::fs::write(file, config).unwrap();
            dev.restart();
        }
    }
}

/// The line of the recovery key's page that holds it; nothing where no key was made.
fn recipient(dev: &Dev) -> String {
    let page = std::fs::read_to_string(dev.path("recovery.key.txt")).unwrap_or_default();
    page.lines().find(|line| line.starts_with("age1")).unwrap_or_default().to_owned()
}

#[test]
fn the_page_is_true() {
    if tool::tool("grpcurl").is_none() {
        return;
    }
    let page = std::fs::read_to_string(repository().join("docs/operating.md")).unwrap();
    let acts = acts(&page);
    assert_eq!(acts.len(), 2, "one change of the root key");
    play(acts);
}

#[test]
fn the_recovery_chapter_is_true() {
    if ["age", "unzip", "python3"].iter().any(|name| tool::tool(name).is_none()) {
        return;
    }
    let page = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let chapter = page.split("\n## ").find(|chapter| chapter.starts_with("Sealed archives\n")).unwrap();
    let acts = acts(chapter);
    assert_eq!(acts.len(), 2, "the recipient goes into the configuration");
    assert!(acts[1].steps.len() > 10, "the commands are in console blocks");
    play(acts);
}

#[test]
fn dots_stand_for_anything() {
    for (line, shown) in [("ab", "ab"), ("a1b", "a…b"), ("a", "a…"), ("x1y2z", "…1…2…"), ("aa", "…a")]
    {
        assert!(is_shown(line, shown), "{line} {shown}");
    }
    for (line, shown) in [("abc", "ab"), ("b", "a…"), ("ac", "a…b"), ("a", "ab"), ("1x", "…1…2")] {
        assert!(!is_shown(line, shown), "{line} {shown}");
    }
}
