//! The sections in the schema of the chart's values, so that Helm refuses values that a service would refuse.

use std::ops::Range;

use serde_json::{Value, json};

/// The names in `$defs`, and the sections that they describe.
const DEFINITIONS: [(&str, &str); 9] = [
    ("AdminConfig", "admin"),
    ("AppConfig", "app"),
    ("BackupConfig", "backup"),
    ("DestinationConfig", "destinations"),
    ("LogConfig", "log"),
    ("SealConfig", "seal"),
    ("SourceConfig", "sources"),
    ("TelemetryConfig", "telemetry"),
    ("VaultConfig", "vault"),
];

/// Keys that the chart sets itself, from its own values: Secrets, volumes and the addresses of its Services.
const SET_BY_THE_CHART: [(&str, &[&str]); 3] = [
    (
        "BackupConfig",
        &[
            "database_url",
            "database_url_file",
            "listen",
            "plaintext",
            "staging_dir",
            "tls",
            "token_file",
            "vault",
        ],
    ),
    ("DestinationConfig", &["ca_file", "credentials_file"]),
    (
        "VaultConfig",
        &[
            "admin_token_file",
            "backup_token_file",
            "database_url",
            "database_url_file",
            "listen",
            "plaintext",
            "previous_root_key_files",
            "root_key_file",
            "tls",
        ],
    ),
];

/// Keys that the chart has instead, each with the definition of its value: Secrets, and volumes.
const OF_THE_CHART: [(&str, &str, &str); 3] = [
    ("DestinationConfig", "ca", "destinationCA"),
    ("DestinationConfig", "credentials", "destinationCredentials"),
    ("DestinationConfig", "existingClaim", "secretName"),
];

/// A key that a file needs but values do not: another key of the chart can replace it.
const OPTIONAL: [(&str, &str); 1] = [("DestinationConfig", "url")];

/// The text of the chart's schema, in which the definitions that it uses are those of `file`. The rest is unchanged.
pub(super) fn with_definitions(chart: &str, file: &Value) -> String {
    let mut text = chart.to_owned();
    for (name, section) in DEFINITIONS {
        let Some(definition) = definition_at(&text, name) else { continue };
        let schema = format!("{:#}", of_the_chart(name, &file["properties"][section]));
        text.replace_range(definition, &schema.replace('\n', "\n    "));
    }
    text
}

/// The position of the definition of `name`. A reference to it is not a definition.
fn definition_at(chart: &str, name: &str) -> Option<Range<usize>> {
    let key = format!("\"{name}\": ");
    let start = chart.find(&key)? + key.len();
    let mut values = serde_json::Deserializer::from_str(&chart[start..]).into_iter::<Value>();
    values.next()?.unwrap();
    Some(start..start + values.byte_offset())
}

/// The schema of a section, or of an element of it, without the keys that the chart sets.
fn of_the_chart(name: &str, section: &Value) -> Value {
    let mut schema = section.get("items").unwrap_or(section).clone();
    schema.as_object_mut().unwrap().remove("default");
    let keys = schema["properties"].as_object_mut().unwrap();
    let set = SET_BY_THE_CHART.iter().filter(|(owner, _)| *owner == name).flat_map(|(_, keys)| *keys);
    for key in set {
        assert!(keys.remove(*key).is_some(), "{name} has no key {key}");
    }
    for (_, key, definition) in OF_THE_CHART.iter().filter(|(owner, ..)| *owner == name) {
        keys.insert((*key).to_owned(), json!({ "$ref": format!("#/$defs/{definition}") }));
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|key| !OPTIONAL.iter().any(|optional| *optional == (name, key.as_str().unwrap())));
    }
    permit_null(&mut schema);
    list_choices(&mut schema);
    schema
}

/// Turns choices into an enumeration, which Helm's message lists.
fn list_choices(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let consts = fields.get("oneOf").and_then(Value::as_array).and_then(|choices| {
                choices.iter().map(|choice| choice.get("const").cloned()).collect::<Option<Vec<_>>>()
            });
            if let Some(consts) = consts {
                fields.remove("oneOf");
                fields.insert("enum".to_owned(), consts.into());
            }
            fields.values_mut().for_each(list_choices);
        }
        Value::Array(elements) => elements.iter_mut().for_each(list_choices),
        _ => {}
    }
}

/// Permits null, the form of a chart value that is not set.
fn permit_null(schema: &mut Value) {
    if let Some(element) = schema.get_mut("items") {
        permit_null(element);
    }
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (key, schema) in keys {
        if schema["type"] == "string"
            && schema.get("default").is_none()
            && !required.contains(&key.as_str().into())
        {
            schema["type"] = json!(["string", "null"]);
        }
        permit_null(schema);
    }
}

#[test]
fn only_the_definitions_of_sections_change() {
    let chart = r##"{
  "properties": { "vault": { "$ref": "#/$defs/VaultConfig" } },
  "$defs": {
    "VaultConfig": {},
    "SourceConfig": { "type": "array" },
    "image":   { "type": "string" }
  }
}
"##;
    let file = super::schema::of_a_file();
    let written = with_definitions(chart, &file);
    assert!(written.ends_with("\n    \"image\":   { \"type\": \"string\" }\n  }\n}\n"), "{written}");
    let read: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(read["properties"]["vault"]["$ref"], "#/$defs/VaultConfig");
    assert!(read["$defs"].get("AdminConfig").is_none(), "the chart uses no such definition");
    for (name, key, refused) in
        [("VaultConfig", "identities", "root_key_file"), ("SourceConfig", "url_file", "password")]
    {
        let schema = &read["$defs"][name];
        assert_eq!(schema["additionalProperties"], false, "{name}");
        let keys = schema["properties"].as_object().unwrap();
        assert!(keys.contains_key(key) && !keys.contains_key(refused), "{name}");
    }
    assert_eq!(read["$defs"]["SourceConfig"]["properties"]["url"]["type"], json!(["string", "null"]));
    assert_eq!(read["$defs"]["SourceConfig"]["properties"]["name"]["type"], "string");
    assert_eq!(with_definitions(&written, &file), written);
}

#[test]
fn a_destination_of_the_chart_names_secrets_and_volumes_instead_of_files() {
    let chart = "{ \"$defs\": { \"DestinationConfig\": {} } }\n";
    let read: Value = serde_json::from_str(&with_definitions(chart, &super::schema::of_a_file())).unwrap();
    let schema = &read["$defs"]["DestinationConfig"];
    assert_eq!(schema["required"], json!(["name"]), "a folder has a claim instead of a url");
    let keys = schema["properties"].as_object().unwrap();
    for (key, there) in [("credentials", true), ("ca", true), ("existingClaim", true), ("endpoint", true)]
        .into_iter()
        .chain([("credentials_file", false), ("ca_file", false)])
    {
        assert_eq!(keys.contains_key(key), there, "{key}");
    }
    assert_eq!(keys["ca"], json!({ "$ref": "#/$defs/destinationCA" }));
}
