//! Texts of an archive on their way to a client, into the log and into the audit log, which refuse long ones.

/// Characters of a text.
const MOST: usize = 1000;

/// The text, and `…` for what follows its first 1,000 characters: the archive decides how long it is.
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
