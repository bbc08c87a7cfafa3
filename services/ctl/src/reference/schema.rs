//! The JSON schema of a configuration file, from the types that the services read it into.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use strongroom_backup::Config;
use strongroom_vault::ConfigFile;

/// The sections of both services as one schema without references, for values in TOML: nothing is null.
pub(super) fn of_a_file() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut sections = Map::new();
    for whole in [
        settings.clone().into_generator().into_root_schema_for::<Config>(),
        settings.into_generator().into_root_schema_for::<ConfigFile>(),
    ] {
        let Some(Value::Object(whole)) = simple(whole.to_value()).get_mut("properties").map(Value::take)
        else {
            panic!("a configuration has sections");
        };
        sections.extend(whole);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Strongroom",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

/// The schema as it is stored.
pub(super) fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Removes distinctions that only Rust makes: sizes of integers, and options, which a file leaves out.
fn simple(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(present) = present(&schema) {
        schema.remove("anyOf");
        // The field's own description says more than its type's.
        for (key, value) in present {
            schema.entry(key).or_insert(value);
        }
    }
    let known = schema.into_iter().map(|(keyword, value)| (keyword.clone(), simple_part(&keyword, value)));
    Value::Object(known.collect())
}

fn simple_part(keyword: &str, part: Value) -> Value {
    match (keyword, part) {
        ("properties", Value::Object(keys)) => {
            keys.into_iter().map(|(key, schema)| (key, simple(schema))).collect()
        }
        ("oneOf", Value::Array(choices)) => choices.into_iter().map(simple).collect(),
        ("items", element) => simple(element),
        ("type", Value::Array(types)) => types.into_iter().find(|one| one != "null").unwrap(),
        // The line breaks are those of the comment in the code.
        ("description", Value::String(text)) => text.split_whitespace().collect::<Vec<_>>().join(" ").into(),
        (_, part) => part,
    }
}

/// The schema of an option's value.
fn present(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let alternatives = schema.get("anyOf")?.as_array()?;
    let null = json!({ "type": "null" });
    alternatives.iter().find(|one| **one != null)?.as_object().cloned()
}
