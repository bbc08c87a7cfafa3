//! The configuration reference is generated from the configuration's types, so no key can be missing from it. It
//! consists of the page `docs/configuration.md`, the schema for editors (`deploy/config/schema.json`) and the chart's
//! schema.
//!
//! The tests compare; `STRONGROOM_WRITE_DOCS=1 cargo test -p strongroom-ctl reference` writes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod chart;
mod page;
mod samples;
mod schema;

use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_runtime::config::{SECTIONS, load_with};

use self::page::{Entry, Place};
pub(crate) use self::samples::samples;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a file of the tree with its expected content, or writes it.
fn is_kept(file: &str, expected: &str) {
    let path = repository().join(file);
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(expected.lines()).find(|(kept, expected)| kept != expected);
    assert!(
        kept == expected,
        "{file} is not what the configuration's types say; `STRONGROOM_WRITE_DOCS=1 cargo test -p strongroom-ctl \
         reference` writes it; first difference: {differs:?}"
    );
}

#[test]
fn the_page_lists_every_key() {
    let file = "docs/configuration.md";
    let kept = std::fs::read_to_string(repository().join(file)).unwrap();
    is_kept(file, &page::with_keys(&kept, &schema::of_a_file()));
}

#[test]
fn editors_have_the_schema_of_a_file() {
    is_kept("deploy/config/schema.json", &schema::text(&schema::of_a_file()));
}

#[test]
fn the_chart_has_the_schemas_of_the_sections() {
    let file = "helm/strongroom/values.schema.json";
    if let Ok(kept) = std::fs::read_to_string(repository().join(file)) {
        is_kept(file, &chart::with_definitions(&kept, &schema::of_a_file()));
    }
}

#[test]
fn the_schema_has_the_sections_that_a_process_knows() {
    let schema = schema::of_a_file();
    let sections: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(sections, SECTIONS);
}

#[test]
fn the_schema_knows_every_kind_of_source_and_no_address() {
    let schema = schema::of_a_file();
    let source = &schema["properties"]["sources"]["items"]["properties"];
    for (kind, _) in page::values(&source["kind"]) {
        assert_eq!(strongroom_backup::SourceKind::try_from(kind.to_owned()).unwrap().name(), kind);
    }
    let url = source["url"].as_object().unwrap();
    assert_eq!(url["type"], "string");
    assert!(!url.contains_key("default"), "an address may hold a password");
}

#[test]
fn every_variable_of_the_page_sets_its_key() {
    let schema = schema::of_a_file();
    let mut variables = Vec::new();
    for (name, section) in schema["properties"].as_object().unwrap() {
        let table = section.get("items").unwrap_or(section);
        let entries = page::entries(&Place::of_section(name, section), table, section);
        let given = |entry: &Entry<'_>| Some((entry.variable.clone()?, an_example(entry.schema)));
        variables.extend(entries.iter().filter_map(given));
    }
    assert!(variables.len() > 40, "{variables:?}");
    let set = || variables.clone().into_iter();
    // An unknown key would be refused.
    let vault = load_with::<strongroom_vault::ConfigFile>(None, set()).unwrap();
    assert!(vault.vault.tls.is_some() && vault.vault.plaintext);
    let backup = load_with::<strongroom_backup::Config>(None, set()).unwrap();
    assert_eq!((backup.backup.stall_seconds, &*backup.backup.vault.url), (1, "127.0.0.1:1"));
}

/// A value that the key accepts; an address also serves as a name, a path and a URL.
fn an_example(schema: &Value) -> String {
    let value = page::values(schema).next().map(|(value, _)| value.to_owned());
    value.unwrap_or_else(|| match schema["type"].as_str() {
        Some("boolean") => "true".into(),
        Some("integer") => schema["minimum"].to_string(),
        Some("number") => "1".into(),
        _ => "127.0.0.1:1".into(),
    })
}
