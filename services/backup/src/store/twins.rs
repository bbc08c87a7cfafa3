//! Checks that both engines' files have the same text, so that a change of one is made to the other too.

use std::path::Path;

use strongroom_testkit::assert_twins;

/// Files that differ on purpose, each with the reason.
const DIFFERENT: &[(&str, &str)] =
    &[("locks.rs", "SQLite's changes are serial; PostgreSQL's lock what they read")];

#[test]
fn each_file_is_the_same_for_both_engines_but_for_what_must_differ() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    assert_twins(&store.join("sqlite"), &store.join("postgres"), DIFFERENT);
}
