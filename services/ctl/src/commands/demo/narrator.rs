//! The form of the story: numbered steps, in order, and nothing else on the same channel.

use anyhow::Result;

use crate::output::{Format, message, print};

/// Prints steps on standard output, or on standard error if standard output is for a script.
pub(super) struct Narrator {
    format: Format,
    steps: u32,
}

impl Narrator {
    pub(super) fn new(format: Format) -> Self {
        Self { format, steps: 0 }
    }

    /// Number of steps so far.
    pub(super) fn steps(&self) -> u32 {
        self.steps
    }

    /// Begins the next step, and prints what happened and why it matters.
    pub(super) fn step(&mut self, title: &str, why: &str) -> Result<()> {
        self.steps += 1;
        let blank = if self.steps > 1 { "\n" } else { "" };
        let indented: Vec<String> = why.lines().map(|line| format!("   {line}")).collect();
        self.say(&format!("{blank}{}. {title}\n{}", self.steps, indented.join("\n")))
    }

    /// Shows a result of a step.
    pub(super) fn show(&self, what: &str) -> Result<()> {
        let indented: Vec<String> = what.lines().map(|line| format!("     {line}")).collect();
        self.say(&format!("\n{}", indented.join("\n")))
    }

    pub(super) fn say(&self, text: &str) -> Result<()> {
        match self.format {
            Format::Text => print(&format!("{text}\n")),
            Format::Json => {
                message(text);
                Ok(())
            }
        }
    }
}
