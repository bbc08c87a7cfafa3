//! What a page consists of. Services give data; only [`super::page`] makes HTML of it, so no text of a configuration or a
//! database gets there unescaped.

/// A part of the page under a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Names with their values.
    Facts(Vec<(&'static str, Cell)>),
    /// Rows under headings; the first cell of a row is its name.
    Table {
        /// One for each column.
        headings: Vec<&'static str>,
        /// Each as long as the headings.
        rows: Vec<Vec<Cell>>,
    },
    /// A sentence.
    Note(String),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words; a dash when empty.
    Text(String),
    /// An id or another text of a machine.
    Code(String),
    /// A count.
    Number(i64),
    /// A state, in words and colour.
    State(Tone, String),
    /// Microseconds since the epoch; a dash when there is none.
    Time(Option<i64>),
    /// How a thing went each time, the oldest first.
    Timeline(Vec<Mark>),
    /// How much of something is done.
    Progress {
        /// So many.
        done: i64,
        /// Of so many.
        total: i64,
    },
}

/// One time of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Microseconds since the epoch.
    pub time: i64,
    /// How it went, as a colour.
    pub tone: Tone,
    /// The same in words.
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
    /// Neither.
    Quiet,
}

impl Cell {
    /// Words.
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
