//! Archives that no export makes: small ones, and ones that are expensive to read. Each is within the
//! format's limits.

use strongroom_archive::schema::TableSchema;
use strongroom_archive::{
    ArchiveWriter, Compression, EncryptedColumn, EntryKind, EntryRecord, Limits, ManifestHead,
};

/// The head of a manifest with as little content as allowed.
#[must_use]
pub fn head(encrypted_columns: Vec<EncryptedColumn>) -> ManifestHead {
    ManifestHead {
        app_name: "App".to_owned(),
        app_url: String::new(),
        created_at: "2026-05-06T10:14:22Z".parse().unwrap(),
        options: [].into_iter().collect(),
        archive_id: "1".to_owned(),
        deployment_id: None,
        producer: "test".to_owned(),
        root_key_id: None,
        kids: Vec::new(),
        encrypted_columns,
        audit_head: None,
        sources: Vec::new(),
        partial: None,
    }
}

/// A writer that writes to memory.
#[must_use]
pub fn writer() -> ArchiveWriter<Vec<u8>> {
    ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default())
}

/// An archive without entries.
#[must_use]
pub fn empty(head: ManifestHead) -> Vec<u8> {
    writer().finish(head).unwrap().1
}

/// A table `t` with the column `k` and `sealed` encrypted columns, whose additional data is `aad`. In each
/// row `k` is `key`, and the other values are `x`.
#[must_use]
pub fn sealed_table(key: &str, primary_key: &[&str], sealed: usize, aad: &str, rows: usize) -> Vec<u8> {
    let names: Vec<String> = (0..sealed).map(|at| format!("e{at}")).collect();
    let column = |name: &str| serde_json::json!({"name": name, "type": "text", "nullable": true});
    let columns: Vec<_> = std::iter::once("k").chain(names.iter().map(String::as_str)).map(column).collect();
    let schema: TableSchema = serde_json::from_value(serde_json::json!({
        "name": "t", "source": "s", "engine": "sqlite", "table": "t", "columns": columns, "primary_key": primary_key,
    }))
    .unwrap();
    let values: String = names.iter().map(|name| format!(",\"{name}\":\"x\"")).collect();
    let row = format!("{{\"k\":\"{key}\"{values}}}");
    let mut writer = writer();
    writer.write_schema(&schema).unwrap();
    writer.start_table(&schema, None).unwrap();
    for _ in 0..rows {
        writer.write_rows(row.as_bytes(), 1).unwrap();
    }
    writer.finish_table().unwrap();
    let of_name = |column: String| EncryptedColumn {
        table: "t".to_owned(),
        column,
        key: "gateway".to_owned(),
        aad: aad.to_owned(),
    };
    writer.finish(head(names.into_iter().map(of_name).collect())).unwrap().1
}

/// Files with long names, each with `bytes` zero bytes.
#[must_use]
pub fn files(count: usize, bytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut writer = writer();
    for at in 0..count {
        let name = format!("files/f/{at:0>200}");
        writer.start_entry(EntryRecord::new(&name, EntryKind::File)).unwrap();
        for piece in (0..bytes).step_by(zeros.len()) {
            writer.write(&zeros[..zeros.len().min(bytes - piece)]).unwrap();
        }
        writer.finish_entry().unwrap();
    }
    writer.finish(head(Vec::new())).unwrap().1
}
