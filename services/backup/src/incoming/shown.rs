//! Texts of an archive for a client, the log, and the audit log, which refuses long ones.

/// Maximum number of characters.
const MOST: usize = 1000;

/// The text, cut to its first 1,000 characters and `…` if it is longer: the archive decides how long it is.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let whole = "é".repeat(MOST);
        assert_eq!(shown(&whole), whole);
        assert_eq!(shown(&format!("{whole}é")), format!("{whole}…"));
    }
}
