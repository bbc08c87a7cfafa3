//! The systemd units, checked by systemd itself: an unknown directive would only be a warning in a log that nobody
//! reads.

use e2e::{program, repository, tool};

#[test]
fn the_units_are_understood() {
    let Some(analyze) = tool::optional_tool("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    // `systemd-analyze` also checks that the programs exist, so the units get the folder of the built programs instead
    // of the installation path of docs/install.md.
    let strongroom = program("strongroom").get_program().to_string_lossy().into_owned();
    let built = strongroom.strip_suffix("strongroom").unwrap();
    let mut units = Vec::new();
    for entry in std::fs::read_dir(repository().join("deploy/systemd")).unwrap() {
        let entry = entry.unwrap();
        let unit = std::fs::read_to_string(entry.path()).unwrap();
        let path = folder.path().join(entry.file_name());
        std::fs::write(&path, unit.replace("/usr/local/bin/", built)).unwrap();
        units.push(path.to_string_lossy().into_owned());
    }
    assert_eq!(units.len(), 4, "{units:?}");
    let arguments: Vec<&str> = std::iter::once("verify").chain(units.iter().map(String::as_str)).collect();
    let said = tool::run(analyze, &arguments).said();
    assert!(!said.contains("Unknown"), "{said}");
}
