//! The name of an archive file.

use jiff::Timestamp;

/// `<app>-backup-YYYY-MM-DD-HHMMSS.zip` in UTC, as specified in FORMAT.md §1.
///
/// The result contains only `[a-z0-9.-]`, whatever the application's name.
pub fn archive_file_name(app_name: &str, created_at: Timestamp) -> String {
    format!("{}-backup-{}.zip", plain(app_name), second(created_at))
}

/// The time in a file name.
pub(crate) fn second(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%d-%H%M%S")
}

/// The application's name in `[a-z0-9-]`.
pub(crate) fn plain(app_name: &str) -> String {
    let mut app = String::with_capacity(app_name.len());
    for character in app_name.chars().map(|c| c.to_ascii_lowercase()) {
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            app.push(character);
        } else if !app.is_empty() && !app.ends_with('-') {
            app.push('-');
        }
    }
    match app.trim_end_matches('-') {
        "" => "strongroom",
        kept => kept,
    }
    .to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_plain_characters() {
        let created_at: Timestamp = "2026-05-06T10:14:22.9Z".parse().unwrap();
        for (app, expected) in [
            ("PromptGate", "promptgate"),
            ("My  App / 2", "my-app-2"),
            ("--x--", "x"),
            ("été", "t"),
            ("", "strongroom"),
            ("../..", "strongroom"),
        ] {
            let expected = format!("{expected}-backup-2026-05-06-101422.zip");
            assert_eq!(archive_file_name(app, created_at), expected);
        }
    }
}
