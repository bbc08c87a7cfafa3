//! Texts from an archive in messages: quoted, and truncated, because the archive determines their length.

use std::fmt::{self, Write as _};

/// Maximum characters of a quotation.
const MOST: usize = 200;

/// Displays a text in quotes, like its `Debug`, with `…` in place of anything after its first 200 characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MOST) {
            None => write!(formatter, "{:?}", self.0),
            Some((end, _)) => {
                write!(formatter, "{:?}", &self.0[..end])?;
                formatter.write_char('…')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(Quoted("a\"b").to_string(), r#""a\"b""#);
        let exact = "é".repeat(MOST);
        assert_eq!(Quoted(&exact).to_string(), format!("{exact:?}"));
        assert_eq!(Quoted(&"é".repeat(1 << 20)).to_string(), format!("{exact:?}…"));
    }
}
