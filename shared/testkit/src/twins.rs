//! Files that exist once per database engine and must stay identical.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Compares two folders of Rust files. Both must contain the same names, and the files of each pair must be
/// identical below their first line. The pairs named in `different`, each with its reason, must differ.
///
/// # Panics
/// With the file's name, if a comparison fails.
pub fn assert_twins(left: &Path, right: &Path, different: &[(&str, &str)]) {
    let names = names_in(left);
    assert_eq!(names, names_in(right), "{} and {} hold different files", left.display(), right.display());
    for (name, _) in different {
        assert!(names.contains(*name), "{name} is said to differ, and does not exist");
    }
    for name in &names {
        let same = below_first_line(&left.join(name)) == below_first_line(&right.join(name));
        if let Some((_, reason)) = different.iter().find(|(listed, _)| listed == name) {
            assert!(!same, "{name} is the same text now; it is said to differ: {reason}");
        } else {
            assert!(same, "{name} must be the same text in {} and {}", left.display(), right.display());
        }
    }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn below_first_line(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two folders with these files.
    fn folders(left: &[(&str, &str)], right: &[(&str, &str)]) -> [tempfile::TempDir; 2] {
        [left, right].map(|files| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(folder.path().join(name), text).unwrap();
            }
            folder
        })
    }

    fn passes(left: &[(&str, &str)], right: &[(&str, &str)], different: &[(&str, &str)]) -> bool {
        let [left, right] = folders(left, right);
        std::panic::catch_unwind(|| assert_twins(left.path(), right.path(), different)).is_ok()
    }

    #[test]
    fn only_the_first_line_may_differ() {
        assert!(passes(&[("a.rs", "//! SQLite\nx\n")], &[("a.rs", "//! PostgreSQL\nx\n")], &[]));
        assert!(!passes(&[("a.rs", "//! A\nx\n")], &[("a.rs", "//! A\ny\n")], &[]));
        assert!(!passes(&[("a.rs", "\n"), ("b.rs", "\n")], &[("a.rs", "\n")], &[]));
    }

    #[test]
    fn what_is_listed_exists_and_differs() {
        let listed = [("a.rs", "a reason")];
        assert!(passes(&[("a.rs", "\nx\n")], &[("a.rs", "\ny\n")], &listed));
        assert!(!passes(&[("a.rs", "\nx\n")], &[("a.rs", "\nx\n")], &listed));
        assert!(!passes(&[("b.rs", "\n")], &[("b.rs", "\n")], &listed));
    }
}
