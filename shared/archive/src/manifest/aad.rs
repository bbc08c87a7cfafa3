//! Templates for the additional data of a row's encrypted value: `{table}/{column}/{id}`.
//!
//! The application that seals a value chooses the additional data. Verifying or re-encrypting the value
//! requires rebuilding the same text from the row alone.

use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::rows::{BoundedText, text_within};

/// Longest template in bytes.
const MAX_BYTES: usize = 1024;

/// The additional data of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilledAad {
    /// The additional data.
    Text(String),
    /// The row has no text for a placeholder of the template: a NULL, or a BLOB.
    Null,
    /// It is longer than the given limit.
    TooLong,
}

/// A parsed template. FORMAT.md §7.2 specifies its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AadTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Table,
    Column,
    /// The row's value in the column of this name.
    Value(String),
}

impl AadTemplate {
    /// Reads a template of 1 to 1,024 bytes.
    ///
    /// # Errors
    /// [`Error::Aad`] for an empty or too long template, and for braces that do not enclose a name.
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
                return Err(refused("has braces around something that is not a name"));
            }
            parts.push(Part::of(name));
            rest = behind;
        }
        push_text(&mut parts, rest).map_err(refused)?;
        Ok(Self { parts })
    }

    /// The columns whose values are needed.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(column) => Some(column.as_str()),
            Part::Text(_) | Part::Table | Part::Column => None,
        })
    }

    /// The additional data of the value in `column` of a row of `table`, built up to at most `limit` bytes.
    /// `values` are the row's values of [`Self::columns`], in the same order; `None` is a column that the row
    /// does not have.
    pub fn fill<'v>(
        &self,
        table: &str,
        column: &str,
        limit: usize,
        values: impl IntoIterator<Item = Option<&'v RawValue>>,
    ) -> FilledAad {
        let mut values = values.into_iter();
        let mut filled = String::new();
        for part in &self.parts {
            let room = limit - filled.len();
            let text = match part {
                Part::Text(text) => BoundedText::Text(text.into()),
                Part::Table => BoundedText::Text(table.into()),
                Part::Column => BoundedText::Text(column.into()),
                Part::Value(_) => {
                    values.next().flatten().map_or(BoundedText::None, |value| text_within(value, room))
                }
            };
            match text {
                BoundedText::Text(text) if text.len() <= room => filled.push_str(&text),
                BoundedText::Text(_) | BoundedText::TooLong => return FilledAad::TooLong,
                BoundedText::None => return FilledAad::Null,
            }
        }
        FilledAad::Text(filled)
    }

    /// The minimum length of the additional data for every row of `table`, whatever its values.
    pub(super) fn least_bytes(&self, table: &str, column: &str) -> usize {
        let bytes = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Table => table.len(),
            Part::Column => column.len(),
            Part::Value(_) => 0,
        });
        bytes.fold(0, usize::saturating_add)
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
        return Err("has a } without a matching {");
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

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn fill(template: &str, limit: usize, id: &RawValue) -> FilledAad {
        let template = AadTemplate::parse(template).unwrap();
        let values = template.columns().map(|name| (name == "id").then_some(id));
        template.fill("servers", "bearer", limit, values)
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
            let expected = filled.map_or(FilledAad::Null, |text| FilledAad::Text(text.to_owned()));
            assert_eq!(fill(template, 1024, &raw(r#""7""#)), expected, "{template}");
        }
        let parsed = AadTemplate::parse("{table}/{owner}/{id}").unwrap();
        assert_eq!(parsed.columns().collect::<Vec<_>>(), ["owner", "id"]);
    }

    #[test]
    fn what_is_built_ends_at_the_limit() {
        let id = raw(&format!("\"{}\"", "a".repeat(100)));
        assert_eq!(fill("{id}{id}", 200, &id), FilledAad::Text("a".repeat(200)));
        for template in ["{id}{id}x", "x{id}{id}", "{id}{id}{id}", "{id}{table}{id}"] {
            assert_eq!(fill(template, 200, &id), FilledAad::TooLong, "{template}");
        }
        assert_eq!(fill("{table}", 6, &id), FilledAad::TooLong);
        assert_eq!(fill("{id}", 200, &raw("null")), FilledAad::Null);
        assert_eq!(fill("{id}", 200, &raw(r#"{"$blob":""}"#)), FilledAad::Null);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let long = "x".repeat(1025);
        for bad in ["", &long, "{", "}", "{}", "{id", "id}", "{{id}}", "a{b{c}"] {
            assert!(matches!(AadTemplate::parse(bad), Err(Error::Aad { .. })), "{bad}");
        }
    }
}
