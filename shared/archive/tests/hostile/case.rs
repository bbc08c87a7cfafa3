//! An honest archive before it is put together: all that a case can spoil.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::raw_zip::{self, Entry, Frame, stored};

const SCHEMA: &str = r#"{"name":"t","source":"gateway","engine":"sqlite","table":"t",
    "columns":[{"name":"id","type":"text","nullable":true}],"primary_key":[]}"#;
const ROWS: &str = "[\n{\"id\":1},\n{\"id\":2}\n]\n";

/// The place of the schema's entry, and of that of the rows.
pub(crate) const SCHEMA_ENTRY: usize = 0;
pub(crate) const ROWS_ENTRY: usize = 1;

/// Makes an honest archive into another one.
pub(crate) type Spoil = fn(&mut Case);

/// An archive of one table.
pub(crate) struct Case {
    pub(crate) entries: Vec<Entry>,
    pub(crate) manifest: Value,
    pub(crate) frame: Frame,
    /// Stands in the ZIP instead of `manifest`.
    pub(crate) manifest_entry: Option<Entry>,
    pub(crate) without_manifest: bool,
    /// Changes the finished file.
    pub(crate) afterwards: fn(Vec<u8>) -> Vec<u8>,
}

/// The file of a case.
pub(crate) fn spoiled(spoil: Spoil) -> Vec<u8> {
    let mut case = Case::honest();
    spoil(&mut case);
    case.build()
}

impl Case {
    pub(crate) fn honest() -> Self {
        let entries =
            vec![stored("schema/t.json", SCHEMA.as_bytes()), stored("tables/t.json", ROWS.as_bytes())];
        let mut schema = record(&entries[SCHEMA_ENTRY], "schema");
        schema["table"] = json!("t");
        let mut rows = record(&entries[ROWS_ENTRY], "table");
        rows["table"] = json!("t");
        rows["rows"] = json!(2);
        let manifest = json!({
            "format_version": 1,
            "app_name": "PromptGate",
            "app_url": "",
            "created_at": "2026-05-06T10:14:22Z",
            "tables": {"t": 2},
            "options": {},
            "note": "",
            "archive_id": "1",
            "producer": "test",
            "entries": [schema, rows],
        });
        Self {
            entries,
            manifest,
            frame: Frame::default(),
            manifest_entry: None,
            without_manifest: false,
            afterwards: std::convert::identity,
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut entries = self.entries.clone();
        if !self.without_manifest {
            let json = || stored("manifest.json", self.manifest.to_string().as_bytes());
            entries.push(self.manifest_entry.clone().unwrap_or_else(json));
        }
        (self.afterwards)(raw_zip::build(&entries, &self.frame))
    }

    /// What the manifest says of the rows.
    pub(crate) fn rows_record(&mut self) -> &mut Value {
        &mut self.manifest["entries"][ROWS_ENTRY]
    }

    pub(crate) fn set_manifest(&mut self, text: &str) {
        self.manifest_entry = Some(stored("manifest.json", text.as_bytes()));
    }

    /// Gives the rows entry another name, in the ZIP and in the manifest.
    pub(crate) fn rename(&mut self, name: &str) {
        self.entries[ROWS_ENTRY].name = name.as_bytes().to_vec();
        self.rows_record()["name"] = json!(name);
    }

    /// Puts another table in its place, about which the manifest tells the truth.
    pub(crate) fn set_rows(&mut self, rows: &str, count: u64) {
        self.entries[ROWS_ENTRY] = stored("tables/t.json", rows.as_bytes());
        self.describe_rows(rows.as_bytes());
        self.rows_record()["rows"] = json!(count);
        self.manifest["tables"]["t"] = json!(count);
    }

    /// Gives the rows entry's record the length and digest of `content`.
    pub(crate) fn describe_rows(&mut self, content: &[u8]) {
        self.rows_record()["bytes"] = json!(content.len());
        self.rows_record()["sha256"] = json!(digest(content));
    }

    /// Puts another schema in its place, about which the manifest tells the truth.
    pub(crate) fn set_schema(&mut self, schema: &str) {
        self.entries[SCHEMA_ENTRY] = stored("schema/t.json", schema.as_bytes());
        self.manifest["entries"][SCHEMA_ENTRY]["bytes"] = json!(schema.len());
        self.manifest["entries"][SCHEMA_ENTRY]["sha256"] = json!(digest(schema.as_bytes()));
    }

    /// Adds an entry that the manifest lists as what it is.
    pub(crate) fn add(&mut self, entry: Entry, kind: &str) {
        self.list(record(&entry, kind));
        self.entries.push(entry);
    }

    /// Adds a record to the manifest.
    pub(crate) fn list(&mut self, record: Value) {
        self.manifest["entries"].as_array_mut().unwrap().push(record);
    }

    /// Lets the local header of the rows say something else than the central directory.
    pub(crate) fn lie_locally(&mut self, lie: impl FnOnce(&mut Entry)) {
        let mut local = self.entries[ROWS_ENTRY].clone();
        lie(&mut local);
        self.entries[ROWS_ENTRY].local = Some(Box::new(local));
    }
}

fn record(entry: &Entry, kind: &str) -> Value {
    json!({
        "name": String::from_utf8_lossy(&entry.name),
        "bytes": entry.data.len(),
        "sha256": digest(&entry.data),
        "kind": kind,
    })
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
