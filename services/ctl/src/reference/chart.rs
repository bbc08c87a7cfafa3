//! The sections in the schema of the chart's values, so that Helm refuses what a service would refuse.

use serde_json::{Map, Value};

/// The names in `$defs`, and the sections that they describe.
const DEFINITIONS: [(&str, &str); 8] = [
    ("AdminConfig", "admin"),
    ("AppConfig", "app"),
    ("BackupConfig", "backup"),
    ("LogConfig", "log"),
    ("SealConfig", "seal"),
    ("SourceConfig", "sources"),
    ("TelemetryConfig", "telemetry"),
    ("VaultConfig", "vault"),
];

/// Keys that the chart sets itself, from values of its own: Secrets, volumes and the addresses of its Services.
const SET_BY_THE_CHART: [(&str, &[&str]); 2] = [
    ("BackupConfig", &["instance", "listen", "plaintext", "staging_dir", "tls", "token_file", "vault"]),
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

/// The text of the chart's schema with the definitions of `file`. Everything else in it stays as it is written.
pub(super) fn with_definitions(chart: &str, file: &Value) -> String {
    let begin = "  \"$defs\": {\n";
    let (before, rest) = chart.split_once(begin).expect("the chart's schema has $defs");
    let (_, after) = rest.split_once("\n  }").expect("$defs end");
    let defined = format!("{:#}", Value::Object(definitions(file)));
    let indented = defined.lines().skip(1).map(|line| format!("  {line}\n")).collect::<String>();
    format!("{before}{begin}{}{after}", indented.trim_end())
}

fn definitions(file: &Value) -> Map<String, Value> {
    let mut definitions = Map::new();
    for (name, section) in DEFINITIONS {
        let section = &file["properties"][section];
        let mut schema = section.get("items").unwrap_or(section).clone();
        let keys = SET_BY_THE_CHART.iter().find(|(owner, _)| *owner == name).map(|(_, keys)| *keys);
        for key in keys.unwrap_or_default() {
            schema["properties"].as_object_mut().unwrap().remove(*key);
        }
        schema.as_object_mut().unwrap().remove("default");
        definitions.insert(name.to_owned(), schema);
    }
    definitions
}

#[test]
fn only_the_definitions_of_a_chart_change() {
    let chart = "{\n  \"$defs\": {\n    \"Old\": {}\n  },\n  \"type\": \"object\"\n}\n";
    let written = with_definitions(chart, &super::schema::of_a_file());
    let read: Value = serde_json::from_str(&written).unwrap();
    assert_eq!((&read["type"], &read["$defs"]["Old"]), (&Value::from("object"), &Value::Null));
    let defined = &read["$defs"];
    assert_eq!(defined.as_object().unwrap().len(), DEFINITIONS.len());
    for (name, schema) in defined.as_object().unwrap() {
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
    assert!(defined["VaultConfig"]["properties"].get("root_key_file").is_none());
    assert!(defined["SourceConfig"]["properties"].get("url_file").is_some());
    assert_eq!(with_definitions(&written, &super::schema::of_a_file()), written);
}
