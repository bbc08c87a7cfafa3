//! Text that lines up.

use std::fmt;

use strongroom_runtime::printable;

/// Space between columns.
const GAP: usize = 2;

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

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(move |row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padding = width - cell.chars().count() + GAP;
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', padding));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// One row without headings, for lines that come one by one.
pub(crate) fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    cells.into_iter().map(|cell| shown(cell.as_ref())).collect::<Vec<_>>().join("  ")
}

/// `key: value`, one a line.
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
    fn terminals_get_no_commands() {
        let mut table = Table::new(&["NAME"]);
        table.row(["a\u{1b}[2J\nb"]);
        assert_eq!(table.to_string(), "NAME\na\\u{1b}[2J\\nb\n");
        assert_eq!(key_values([("name", "x\r"), ("preview", "")]), "name: x\\r\npreview: -\n");
    }
}
