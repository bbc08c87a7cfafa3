//! Both engines' files must have the same text, so a change for one is made for the other too.

use std::path::Path;

use strongroom_testkit::assert_twins;

/// Files that differ on purpose, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    ("events.rs", "a batch of events is JSON for SQLite and arrays for PostgreSQL"),
    ("group_commit.rs", "SQLite takes a script in one message, PostgreSQL one statement in one round trip"),
    ("lists.rs", "a list is JSON for SQLite and an array for PostgreSQL"),
    ("locks.rs", "SQLite's changes are serial; PostgreSQL's lock what they read"),
    ("reseal.rs", "a batch of values is JSON for SQLite and arrays for PostgreSQL, which skips locked rows"),
];

#[test]
fn each_file_is_the_same_for_both_engines_but_for_what_must_differ() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    assert_twins(&store.join("sqlite"), &store.join("postgres"), DIFFERENT);
}
