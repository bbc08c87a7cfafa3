//! The repository's promises about itself.

use e2e::{repository, tool};

#[test]
fn the_protos_pass_buf_lint() {
    let Some(mut buf) = tool::tool("buf") else { return };
    buf.current_dir(repository());
    let _ = tool::run(buf, &["lint"]);
}

/// CHANGELOG.md contains the rules and records changes of the baseline.
#[test]
fn the_protos_break_nothing() {
    let Some(mut buf) = tool::tool("buf") else { return };
    buf.current_dir(repository());
    let _ = tool::run(buf, &["breaking", "--against", "proto/baseline.binpb"]);
}

#[test]
fn dependencies_are_those_that_deny_toml_allows() {
    let Some(mut deny) = tool::optional_tool("cargo-deny") else { return };
    deny.current_dir(repository());
    let _ = tool::run(deny, &["--locked", "check", "bans", "licenses", "sources"]);
}

#[test]
fn the_tests_that_security_md_names_exist() {
    let page = std::fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let table = page.split("\n\n").find(|part| part.starts_with("| who |")).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(rows.len(), 9, "one for each role");
    let mut sources = String::new();
    for folder in ["services", "shared", "tests"] {
        read_sources(&repository().join(folder), &mut sources);
    }
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "SECURITY.md names {name}, which is no test");
        }
    }
}

fn read_sources(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
