//! Archives of a few hundred kilobytes that were made to take memory. Each is within the format's limits.

use strongroom_archive::schema::TableSchema;
use strongroom_archive::{
    ArchiveWriter, Compression, EncryptedColumn, EntryKind, EntryMeta, Limits, ManifestHead,
};

/// Bytes of a row that the service still reads, by default.
const ROW: usize = 31 << 20;

/// Each with a name.
pub(super) fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let key = "a".repeat(ROW);
    let head = ManifestHead { app_url: "a".repeat(7 << 20), ..head(Vec::new()) };
    vec![
        ("repeated.zip", sealed_table(&key, &[], 1, &"{k}".repeat(341))),
        ("wide.zip", sealed_table(&key, &["k"], 990, "{k}")),
        ("escaped.zip", sealed_table(&r"\u0061".repeat(ROW / 6), &["k"], 990, "x")),
        ("manifest.zip", writer().finish(head).unwrap().1),
        ("entries.zip", files(1500)),
    ]
}

fn head(encrypted_columns: Vec<EncryptedColumn>) -> ManifestHead {
    ManifestHead {
        app_name: "App".to_owned(),
        app_url: String::new(),
        created_at: "2026-05-06T10:14:22Z".parse().unwrap(),
        options: [].into_iter().collect(),
        archive_id: "1".to_owned(),
        producer: "test".to_owned(),
        root_key_id: None,
        kids: Vec::new(),
        encrypted_columns,
        audit_head: None,
        sources: Vec::new(),
        partial: None,
    }
}

fn writer() -> ArchiveWriter<Vec<u8>> {
    ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default())
}

/// One row of `t`: `key` in the column `k`, and `sealed` values that are to be opened with `aad`.
fn sealed_table(key: &str, primary_key: &[&str], sealed: usize, aad: &str) -> Vec<u8> {
    let names: Vec<String> = (0..sealed).map(|at| format!("e{at}")).collect();
    let column = |name: &str| serde_json::json!({"name": name, "type": "text", "nullable": true});
    let columns: Vec<_> = std::iter::once("k").chain(names.iter().map(String::as_str)).map(column).collect();
    let schema: TableSchema = serde_json::from_value(serde_json::json!({
        "name": "t", "source": "s", "engine": "sqlite", "table": "t", "columns": columns, "primary_key": primary_key,
    }))
    .unwrap();
    let values: String = names.iter().map(|name| format!(",\"{name}\":\"x\"")).collect();
    let mut writer = writer();
    writer.write_schema(&schema).unwrap();
    writer.start_table("t", "s").unwrap();
    writer.write_rows(format!("{{\"k\":\"{key}\"{values}}}").as_bytes(), 1).unwrap();
    writer.finish_table().unwrap();
    let of_name = |column: String| EncryptedColumn {
        table: "t".to_owned(),
        column,
        key: "gateway".to_owned(),
        aad: aad.to_owned(),
    };
    writer.finish(head(names.into_iter().map(of_name).collect())).unwrap().1
}

/// Files of one byte with long names.
fn files(count: usize) -> Vec<u8> {
    let mut writer = writer();
    for at in 0..count {
        let name = format!("files/f/{at:0>200}");
        writer.start_entry(EntryMeta { name, kind: EntryKind::File, table: None, source: None }).unwrap();
        writer.write(b"x").unwrap();
        writer.finish_entry(None).unwrap();
    }
    writer.finish(head(Vec::new())).unwrap().1
}
