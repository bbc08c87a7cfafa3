//! Comparisons of a backup with earlier ones.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn content(tables: &[(&str, i64)], files: i64) -> Content {
    let table_rows = tables.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
    let rows = tables.iter().map(|(_, rows)| rows).sum();
    let of_vault =
        tables.iter().filter(|(name, _)| *name == "credentials").map(|(_, rows)| rows).sum::<i64>();
    Content { table_rows, rows, rows_beside_vault: rows - of_vault, files, ..Content::default() }
}

fn odd(now: &Content, before: &[Content]) -> Vec<String> {
    judge(now, before, true).unwrap()
}

#[test]
fn an_emptied_or_missing_table_is_named() {
    let before = [content(&[("a", 5), ("b", 0), ("c", 2)], 0)];
    assert_eq!(odd(&content(&[("a", 1), ("b", 0), ("c", 1)], 0), &before), [""; 0]);
    let now = odd(&content(&[("a", 0), ("b", 0)], 7), &before);
    assert_eq!(now.len(), 2, "{now:?}");
    assert!(
        now[0].starts_with("table a has no rows; it had 5") && now[1].starts_with("table c is not in it")
    );
    assert_eq!(odd(&content(&[("a", 0)], 0), &[]), [""; 0], "the first has nothing to be compared with");
}

#[test]
fn less_than_half_of_the_median_of_the_last_ones_is_odd() {
    let before: Vec<Content> = [100, 90, 10, 110, 95].map(|rows| content(&[("a", rows)], 0)).into();
    for (rows, is_odd) in [(47, true), (48, false), (200, false)] {
        assert_eq!(!odd(&content(&[("a", rows)], 0), &before).is_empty(), is_odd, "{rows}");
    }
    assert_eq!(odd(&content(&[("a", 1)], 0), &before[..2]), [""; 0], "two say nothing");
}

#[test]
fn a_backup_of_nothing_but_the_vault_is_refused_if_earlier_backups_had_more() {
    let vault = ("credentials", 9);
    let before = [content(&[vault, ("a", 5)], 0)];
    let empty = content(&[vault, ("a", 0)], 0);
    assert_eq!(judge(&empty, &before, true).unwrap_err().reason(), "BACKUP_EMPTY");
    assert_eq!(judge(&empty, &before, false).unwrap().len(), 1, "somebody has asked for it");
    assert!(judge(&content(&[vault, ("a", 0)], 1), &before, true).is_ok(), "files are something");
    assert!(judge(&empty, &[content(&[vault], 0)], true).is_ok(), "it was empty before");
    let files = [content(&[vault], 3)];
    assert_eq!(judge(&content(&[vault], 0), &files, true).unwrap_err().reason(), "BACKUP_EMPTY");
}
