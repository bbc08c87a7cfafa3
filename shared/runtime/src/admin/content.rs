//! The content of a page. Services supply data; only `super::page` turns it into HTML, so text from a configuration
//! or a database is always escaped.

/// A part of the page under a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// Its blocks, from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Names with their values.
    Facts(Vec<(&'static str, Cell)>),
    /// Rows under headings; the first cell of a row is its name.
    Table {
        /// One per column.
        headings: Vec<&'static str>,
        /// Each as long as `headings`.
        rows: Vec<Vec<Cell>>,
    },
    /// A sentence.
    Note(String),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Plain text; a dash if empty.
    Text(String),
    /// An id or other machine text.
    Code(String),
    /// A count.
    Number(i64),
    /// A state, in words and colour.
    State(Tone, String),
    /// Microseconds since the epoch; a dash when there is none.
    Time(Option<i64>),
    /// Outcomes over time, oldest first.
    Timeline(Vec<Mark>),
    /// Progress of a job.
    Progress {
        /// Amount done.
        done: i64,
        /// Total amount.
        total: i64,
    },
}

/// One outcome in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Microseconds since the epoch.
    pub time: i64,
    /// The outcome, as a colour.
    pub tone: Tone,
    /// The outcome, in words.
    pub text: String,
}

/// The colour of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Fair,
    /// Broken.
    Bad,
    /// Neutral.
    Quiet,
}

impl Cell {
    /// A text cell.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Section {
    /// A section that could not be read.
    #[must_use]
    pub fn unreadable(title: &'static str, why: &str) -> Self {
        Self { title, blocks: vec![Block::Note(format!("This cannot be read now: {why}"))] }
    }
}
