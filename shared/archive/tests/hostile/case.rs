//! A valid archive before it is assembled, with every part that a case can spoil.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::raw_zip::{self, Entry, Frame, deflated, last, stored};

const SCHEMA: &str = r#"{"name":"t","source":"gateway","engine":"sqlite","table":"t",
    "columns":[{"name":"id","type":"text","nullable":true}],"primary_key":[]}"#;
const ROWS: &str = "[\n{\"id\":1},\n{\"id\":2}\n]\n";

/// Indexes of the schema's entry and of the rows' entry.
pub(crate) const SCHEMA_ENTRY: usize = 0;
pub(crate) const ROWS_ENTRY: usize = 1;

/// Turns a valid archive into another one.
pub(crate) type Spoil = fn(&mut Case);

/// An archive of one table.
pub(crate) struct Case {
    pub(crate) entries: Vec<Entry>,
    pub(crate) manifest: Value,
    pub(crate) frame: Frame,
    /// Used in the ZIP instead of `manifest`.
    pub(crate) manifest_entry: Option<Entry>,
    pub(crate) without_manifest: bool,
    /// Entries after the manifest.
    pub(crate) behind_manifest: Vec<Entry>,
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
            vec![deflated("schema/t.json", SCHEMA.as_bytes()), deflated("tables/t.json", ROWS.as_bytes())];
        let mut schema = record("schema/t.json", SCHEMA.as_bytes(), "schema");
        schema["table"] = json!("t");
        let mut rows = record("tables/t.json", ROWS.as_bytes(), "table");
        rows["table"] = json!("t");
        rows["rows"] = json!(2);
        for record in [&mut schema, &mut rows] {
            record["source"] = json!("gateway");
            record["own_table"] = json!("t");
        }
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
            behind_manifest: Vec::new(),
            afterwards: std::convert::identity,
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut entries = self.entries.clone();
        if !self.without_manifest {
            let json = || last("manifest.json", self.manifest_text().as_bytes());
            entries.push(self.manifest_entry.clone().unwrap_or_else(json));
        }
        entries.extend_from_slice(&self.behind_manifest);
        (self.afterwards)(raw_zip::build(&entries, &self.frame))
    }

    /// The manifest's record of the rows.
    pub(crate) fn rows_record(&mut self) -> &mut Value {
        &mut self.manifest["entries"][ROWS_ENTRY]
    }

    /// The manifest, with the digest of the current entries unless it already has another.
    pub(crate) fn manifest_text(&self) -> String {
        let mut manifest = self.manifest.clone();
        let fields = manifest.as_object_mut().unwrap();
        let digest = || json!(digest(&raw_zip::local_part(&self.entries)));
        fields.entry("zip_sha256").or_insert_with(digest);
        manifest.to_string()
    }

    pub(crate) fn set_manifest(&mut self, text: &str) {
        self.manifest_entry = Some(last("manifest.json", text.as_bytes()));
    }

    /// Renames the rows entry, in the ZIP and in the manifest.
    pub(crate) fn rename(&mut self, name: &str) {
        let entry = &mut self.entries[ROWS_ENTRY];
        entry.name = name.as_bytes().to_vec();
        entry.flags |= 1 << 11;
        self.rows_record()["name"] = json!(name);
    }

    /// Replaces the table by another one that the manifest describes correctly.
    pub(crate) fn set_rows(&mut self, rows: &str, count: u64) {
        self.entries[ROWS_ENTRY] = deflated("tables/t.json", rows.as_bytes());
        self.describe_rows(rows.as_bytes());
        self.rows_record()["rows"] = json!(count);
        self.manifest["tables"]["t"] = json!(count);
    }

    /// Sets the length and digest in the rows entry's record to those of `content`.
    pub(crate) fn describe_rows(&mut self, content: &[u8]) {
        self.rows_record()["bytes"] = json!(content.len());
        self.rows_record()["sha256"] = json!(digest(content));
    }

    /// Replaces the schema by another one that the manifest describes correctly.
    pub(crate) fn set_schema(&mut self, schema: &str) {
        self.entries[SCHEMA_ENTRY] = deflated("schema/t.json", schema.as_bytes());
        self.manifest["entries"][SCHEMA_ENTRY]["bytes"] = json!(schema.len());
        self.manifest["entries"][SCHEMA_ENTRY]["sha256"] = json!(digest(schema.as_bytes()));
    }

    /// Adds an entry that the manifest lists with this kind.
    pub(crate) fn add(&mut self, name: &str, content: &[u8], kind: &str) {
        self.list(record(name, content, kind));
        self.entries.push(deflated(name, content));
    }

    /// Adds a record to the manifest.
    pub(crate) fn list(&mut self, record: Value) {
        self.manifest["entries"].as_array_mut().unwrap().push(record);
    }

    /// Stores the rows uncompressed, as simple tools do: the local header is complete, without a descriptor.
    pub(crate) fn store_rows(&mut self) -> &mut Entry {
        self.entries[ROWS_ENTRY] = stored("tables/t.json", ROWS.as_bytes());
        &mut self.entries[ROWS_ENTRY]
    }

    /// Lets the local header of the rows contradict the central directory.
    pub(crate) fn lie_locally(&mut self, lie: impl FnOnce(&mut Entry)) {
        let mut local = self.store_rows().clone();
        lie(&mut local);
        self.entries[ROWS_ENTRY].local = Some(Box::new(local));
    }
}

fn record(name: &str, content: &[u8], kind: &str) -> Value {
    json!({
        "name": name,
        "bytes": content.len(),
        "sha256": digest(content),
        "kind": kind,
    })
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
