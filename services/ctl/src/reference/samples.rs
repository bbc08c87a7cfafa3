//! The sample configurations: every process reads each, and the schema knows each of their keys.

use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_runtime::config::load_with;

use super::{repository, schema};

/// Each TOML file below `deploy`.
pub(crate) fn samples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&repository().join("deploy"), &mut found);
    assert!(found.len() >= 3, "{found:?}");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn the_schema_accepts_every_sample() {
    let schema = schema::of_a_file();
    for sample in samples() {
        let content: Value = load_with(Some(&sample), std::iter::empty()).unwrap();
        accept(&sample.display().to_string(), &content, &schema);
    }
}

/// Fails if `value` has a key or a type that `schema` lacks.
fn accept(place: &str, value: &Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                accept(&format!("{place}.{key}"), value, &schema["properties"][key]);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                accept(&format!("{place}[]"), element, &schema["items"]);
            }
        }
        Value::String(text) if schema.get("oneOf").is_some() => {
            let mut values = super::page::values(schema);
            assert!(values.any(|(value, _)| value == text), "{place}: {text} is not in {schema}");
        }
        Value::Number(_) => {
            assert!(schema["type"] == "integer" || schema["type"] == "number", "{place}: {value}");
        }
        Value::Bool(_) => assert_eq!(schema["type"], "boolean", "{place}: {value}"),
        _ => assert_eq!(schema["type"], "string", "{place}: {value}"),
    }
}
