//! A page as a script: its console blocks are commands, each with its output.
//!
//! In a page, `…` stands for variable text. A TOML block is a separate step:
//!
//! - `toml` is added to the configuration of `strongroom dev`, which is restarted;
//! - `toml NAME` is a file that the reader writes;
//! - with any other words it is an example, as are blocks of other languages: `sh` for commands that need an init system, a
//!   container engine or a cluster, which no test has.

/// A command and the lines that the page shows below it.
pub(super) struct Step {
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

/// The steps between two starts of the services.
#[derive(Default)]
pub(super) struct Act {
    pub(super) steps: Vec<Step>,
    /// TOML that is added to the configuration afterwards.
    pub(super) toml: String,
}

/// The acts of a page, in order.
pub(super) fn acts(page: &str) -> Vec<Act> {
    let mut acts = vec![Act::default()];
    let mut language = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(opening), None) => {
                language = Some(opening);
                if let Some(file) = file_of(opening) {
                    acts.last_mut().unwrap().steps.push(Step::writing(file));
                }
            }
            (Some(_), Some(closed)) => {
                language = None;
                if closed == "toml" {
                    acts.push(Act::default());
                } else if file_of(closed).is_some() {
                    acts.last_mut().unwrap().steps.last_mut().unwrap().command.push_str(END);
                }
            }
            (None, Some("toml")) => {
                let toml = &mut acts.last_mut().unwrap().toml;
                toml.push_str(line);
                toml.push('\n');
            }
            (None, Some(file)) if file_of(file).is_some() => {
                let command = &mut acts.last_mut().unwrap().steps.last_mut().unwrap().command;
                command.push_str(&line.replace("age1…", RECIPIENT));
                command.push('\n');
            }
            (None, Some("console")) => console(&mut acts.last_mut().unwrap().steps, line),
            _ => {}
        }
    }
    acts
}

/// The name of the file that the block is written to; `None` for other blocks.
fn file_of(opening: &str) -> Option<&str> {
    opening.strip_prefix("toml ").filter(|name| name.ends_with(".toml"))
}

/// The public half of the reader's recovery key, which the page cannot know.
const RECIPIENT: &str = "$(grep '^age1' recovery.key.txt)";
/// Ends the file that [`Step::writing`] begins.
const END: &str = "END_OF_FILE";

impl Step {
    fn writing(file: &str) -> Self {
        Self { command: format!("cat > {file} <<{END}\n"), shown: Vec::new() }
    }
}

/// A console line: a command, its continuation, or its output.
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

/// Whether `line` matches `shown`, in which `…` stands for any text.
pub(super) fn is_shown(line: &str, shown: &str) -> bool {
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
