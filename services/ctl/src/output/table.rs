//! Aligned text.

use std::fmt;

use strongroom_runtime::printable;

use super::channels::terminal_width;

/// Space between columns.
const GAP: usize = 2;

/// Columns are not cut below this width, so a cut time still shows the day.
const NARROWEST: usize = 12;

/// Rows under headings, each column as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row. Control characters are escaped; an empty cell is shown as a dash.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|cell| shown(cell.as_ref())).collect());
    }
}

impl Table {
    /// At most `limit` wide: cells are cut, then the last columns are left out and named. The first column identifies a row and
    /// stays whole.
    fn text(&self, limit: usize) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(move |row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        narrow(&mut widths, limit);
        widths.truncate(fitting(&widths, limit));
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let cell = cut(cell, *width);
                let padding = width - cell.chars().count() + GAP;
                cell + &" ".repeat(padding)
            });
            text.push_str(cells.collect::<String>().trim_end());
            text.push('\n');
        }
        let left_out =
            self.rows.first().map_or(&[][..], |headings| headings.get(widths.len()..).unwrap_or_default());
        if !left_out.is_empty() {
            text.push_str(&format!("(too narrow for {}; -o json shows all)\n", left_out.join(", ")));
        }
        text
    }
}

/// At most as wide as the terminal; a pipe gets every cell whole.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(terminal_width().unwrap_or(usize::MAX)))
    }
}

/// Narrows the widest column except the first, one character at a time.
fn narrow(widths: &mut [usize], limit: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        let widest = widths.iter_mut().skip(1).max().filter(|width| **width > NARROWEST);
        let Some(widest) = widest else { return };
        *widest -= 1;
    }
}

/// How many columns fit; at least one.
fn fitting(widths: &[usize], limit: usize) -> usize {
    let ends = widths.iter().scan(0, |end, width| {
        *end += width + GAP;
        Some(*end - GAP)
    });
    ends.take_while(|end| *end <= limit).count().max(1)
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// One row without headings, for lines that arrive one by one.
pub(crate) fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    cells.into_iter().map(|cell| shown(cell.as_ref())).collect::<Vec<_>>().join("  ")
}

/// `key: value`, one per line.
pub(crate) fn key_values<V: AsRef<str>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> String {
    pairs.into_iter().map(|(key, value)| format!("{key}: {}\n", shown(value.as_ref()))).collect()
}

fn shown(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { printable(cell).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let mut table = Table::new(&["NAME", "N"]);
        table.row(["Zürich", "1"]);
        table.row(["", "20"]);
        assert_eq!(table.to_string(), "NAME    N\nZürich  1\n-       20\n");
    }

    #[test]
    fn on_a_terminal_the_widest_cells_are_cut() {
        let mut table = Table::new(&["ID", "NAME", "N"]);
        table.row([&"i".repeat(36), &"n".repeat(60), "1"]);
        let longest = |limit| table.text(limit).lines().map(|line| line.chars().count()).max();
        assert_eq!(longest(usize::MAX), Some(36 + 2 + 60 + 2 + 1));
        assert_eq!(longest(80), Some(80));
        assert!(table.text(80).contains(&"i".repeat(36)) && table.text(80).contains("n…  1"));
        assert_eq!(longest(53), Some(36 + 2 + NARROWEST + 2 + 1), "no further");
        assert_eq!(longest(52), Some(36 + 2 + NARROWEST));
        assert!(table.text(52).ends_with("(too narrow for N; -o json shows all)\n"), "{}", table.text(52));
        assert!(
            table.text(10).ends_with("(too narrow for NAME, N; -o json shows all)\n"),
            "{}",
            table.text(10)
        );
    }

    #[test]
    fn terminals_get_no_commands() {
        let mut table = Table::new(&["NAME"]);
        table.row(["a\u{1b}[2J\nb"]);
        assert_eq!(table.to_string(), "NAME\na\\u{1b}[2J\\nb\n");
        assert_eq!(key_values([("name", "x\r"), ("preview", "")]), "name: x\\r\npreview: -\n");
    }
}
