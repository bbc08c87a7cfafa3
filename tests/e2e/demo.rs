//! `strongroom demo`: one command that shows everything.

use std::time::Duration;

use e2e::{finish, program};

#[test]
fn the_demo_tells_the_whole_story() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = program("strongroom");
    demo.arg("demo").current_dir(folder.path()).env("TMPDIR", folder.path());
    let finished = finish(&mut demo, b"", Duration::from_secs(120)).succeeded();
    let told = finished.said();
    for word in [
        "credential",
        "gateway_logs",
        "promptgate-backup-",
        ".zip.age",
        "recovery key",
        "verif",
        "audit",
        "backup.exported",
        "backup.created",
        "backup scan",
        "Everything is lost",
        "restores the archive",
        "[TOKEN_STALE]",
        "is back",
    ] {
        assert!(told.contains(word), "{word}\n{told}");
    }
    let left: Vec<_> = folder.path().read_dir().unwrap().collect();
    assert!(left.is_empty(), "it cleans up: {left:?}");
}
