//! How the additional data of an encrypted column is made for a row: `{table}/{column}/{id}`.
//!
//! The application that seals a value decides about it; whoever checks or seals it again has to make the same text
//! from nothing but the row.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// Longest template in bytes.
const MAX_BYTES: usize = 1024;

/// A template, read. FORMAT.md §7.2 says what it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AadTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Table,
    Column,
    /// The row's value of the column of this name.
    Value(String),
}

impl AadTemplate {
    /// Reads a template of 1 to 1,024 bytes.
    ///
    /// # Errors
    /// [`Error::Aad`] for an empty or long one, and for braces that enclose no name.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |problem| Error::Aad { template: text.to_owned(), problem };
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(refused("must have 1 to 1,024 bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            push_text(&mut parts, before).map_err(refused)?;
            let (name, behind) = behind.split_once('}').ok_or_else(|| refused("has a { without its }"))?;
            if name.is_empty() || name.contains('{') {
                return Err(refused("has braces around what is no name"));
            }
            parts.push(Part::of(name));
            rest = behind;
        }
        push_text(&mut parts, rest).map_err(refused)?;
        Ok(Self { parts })
    }

    /// The columns whose values it needs.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(column) => Some(column.as_str()),
            Part::Text(_) | Part::Table | Part::Column => None,
        })
    }

    /// The additional data of the value in `column` of a row of `table`. `value` gives the text of another column
    /// of that row; `None` of it, a NULL for example, makes `None` of the whole.
    pub fn fill<'a>(
        &self,
        table: &str,
        column: &str,
        mut value: impl FnMut(&str) -> Option<Cow<'a, str>>,
    ) -> Option<String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Table => filled.push_str(table),
                Part::Column => filled.push_str(column),
                Part::Value(name) => filled.push_str(&value(name)?),
            }
        }
        Some(filled)
    }
}

impl Part {
    fn of(name: &str) -> Self {
        match name {
            "table" => Self::Table,
            "column" => Self::Column,
            other => Self::Value(other.to_owned()),
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> std::result::Result<(), &'static str> {
    if text.contains('}') {
        return Err("has a } without its {");
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn fill(template: &str) -> Option<String> {
        let value = |name: &str| (name == "id").then_some(Cow::Borrowed("7"));
        AadTemplate::parse(template).unwrap().fill("servers", "bearer", value)
    }

    #[test]
    fn names_stand_for_their_values_and_all_else_for_itself() {
        for (template, filled) in [
            ("{table}/{column}/{id}", Some("servers/bearer/7")),
            ("{id}", Some("7")),
            ("constant", Some("constant")),
            ("a{id}{id}b", Some("a77b")),
            ("{owner}/{id}", None),
        ] {
            assert_eq!(fill(template).as_deref(), filled, "{template}");
        }
        let parsed = AadTemplate::parse("{table}/{owner}/{id}").unwrap();
        assert_eq!(parsed.columns().collect::<Vec<_>>(), ["owner", "id"]);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let long = "x".repeat(1025);
        for bad in ["", &long, "{", "}", "{}", "{id", "id}", "{{id}}", "a{b{c}"] {
            assert!(matches!(AadTemplate::parse(bad), Err(Error::Aad { .. })), "{bad}");
        }
    }
}
