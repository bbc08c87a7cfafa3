//! An archive that must always open with identical contents. It is compared with a newly made one; a
//! release's archive is kept.
//!
//! The sealed archives are in `seal::vectors`, the invalid ones with the hostile files.

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use strongroom_archive::manifest::TruePath;
use strongroom_archive::schema::Engine;
use strongroom_archive::{
    AadTemplate, ArchiveWriter, Compression, EncryptedColumn, FilledAad, Limits, ManifestHead,
    ManifestSignature,
};
use strongroom_crypto::{Cell, KeyRing, KeyVersion, Purpose, RootKey, State, Statement, WrappedVersion};

use crate::kept::keep;
use crate::sample;

const GOOD: &[u8] = include_bytes!("../vectors/zip/good.zip");
const ENCRYPTED: &[u8] = include_bytes!("../vectors/zip/encrypted-columns.zip");
const SIGNER: &str = include_str!("../vectors/zip/signer.txt");

const SQLITE_ROWS: [&str; 4] = [
    r#"{"id":1,"value":null}"#,
    r#"{"id":9223372036854775807,"value":-0.0}"#,
    r#"{"id":"größe \u0000","value":{"$real":"-inf"}}"#,
    r#"{"id":{"$blob":"AP8="},"value":{"$text":"Yf8="}}"#,
];
const POSTGRES_ROWS: [&str; 2] = [r#"{"id":1.10,"value":"NaN"}"#, r#"{"id":true,"value":"{1,NULL}"}"#];
const RING: &str = r#"{"versions":[]}"#;
const DATABASE: &str = r#"{"source":"gateway","engine":"sqlite","views":[{"name":"v","definition":"CREATE VIEW v AS SELECT 1"}],"notes":{"by":"hand"}}"#;
const ODD_PATH: &[u8] = b"\xff\n";
const RECORDING: &[u8] = b"\x00 a recording \xff";

#[test]
fn the_good_archive_opens_to_the_byte() {
    let report = sample::check(GOOD, Limits::V1).unwrap();
    let tables = [("notes", 4), ("a/b", 2), ("none", 0)].map(|(name, rows)| (name.to_owned(), rows));
    assert_eq!(report.tables, tables);

    let all = sample::contents(GOOD).unwrap();
    let of = |name: &str| {
        let (_, content) = all.iter().find(|(known, _)| known == name).unwrap();
        content.clone()
    };
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "schema/notes.json",
        "tables/notes.json",
        "schema/a%2Fb.json",
        "tables/a%2Fb.json",
        "schema/none.json",
        "tables/none.json",
        "databases/gateway.json",
        "large-objects/gateway/4711",
        "files/recordings/2026/a.cast",
        "files/recordings/%FF%0A",
        "schedules.json",
        "canary.txt",
        "keys/ring.json",
    ];
    assert_eq!(names, expected);
    assert_eq!(of("tables/notes.json"), format!("[\n{}\n]\n", SQLITE_ROWS.join(",\n")).as_bytes());
    assert_eq!(of("tables/a%2Fb.json"), format!("[\n{}\n]\n", POSTGRES_ROWS.join(",\n")).as_bytes());
    assert_eq!(of("tables/none.json"), b"[]\n");
    assert_eq!(of("files/recordings/2026/a.cast"), RECORDING);
    assert_eq!(of("keys/ring.json"), RING.as_bytes());
    assert_eq!(of("large-objects/gateway/4711"), RECORDING);
    let archive = sample::open(GOOD).unwrap();
    let odd = archive.entries().iter().find(|entry| entry.name == "files/recordings/%FF%0A").unwrap();
    assert_eq!(odd.file_path().unwrap(), ("recordings", TruePath::new(ODD_PATH.to_owned()).unwrap()));
    assert_eq!(odd.mode.as_deref(), Some("0640"));

    let mut archive = sample::open(GOOD).unwrap();
    assert_eq!(archive.read_schema("a/b").unwrap().engine, Engine::Postgres);
    let manifest = archive.manifest();
    assert_eq!(manifest.format_version, 1);
    assert_eq!(manifest.created_at.to_string(), "2026-05-06T10:14:22Z");
    assert_eq!(manifest.kids, ["00112233445566ff"]);
    assert_eq!(manifest.root_key_id.as_deref(), Some("0f1e2d3c4b5a6978"));
}

#[test]
fn the_good_archive_is_by_its_signer() {
    let (kid, key) = SIGNER.trim_end().split_once(' ').unwrap();
    let key = hex::decode(key).unwrap().try_into().unwrap();
    let mut archive = sample::open(GOOD).unwrap();
    let signature = archive.signature().unwrap().unwrap();
    assert_eq!(signature.kid(), kid);
    sample::verify_signature(&key, &archive, &signature).unwrap();
}

/// The bytes 00 to 1f.
fn root() -> RootKey {
    RootKey::parse("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

/// The ring in the archive, which has one version.
fn ring_in(archive: &[u8]) -> KeyRing {
    let contents = sample::contents(archive).unwrap();
    let (_, json) = contents.iter().find(|(name, _)| name == "keys/ring.json").unwrap();
    let ring: serde_json::Value = serde_json::from_slice(json).unwrap();
    let version = &ring["versions"][0];
    let text = |field: &str| version[field].as_str().unwrap().to_owned();
    let version = WrappedVersion {
        key_id: text("key_id"),
        purpose: Purpose::Caller,
        kid: text("kid").parse().unwrap(),
        number: 1,
        state: State::Primary,
        root_key_id: text("root_key_id").parse().unwrap(),
        wrapped: text("wrapped"),
    };
    KeyRing::open(&[&root()], &[version]).unwrap()
}

/// The cell of a value sealed by the caller key `gateway`: additional data in hexadecimal.
fn with_cell<T>(aad: &str, work: impl FnOnce(&Cell<'_>) -> T) -> T {
    let row = hex::encode(aad);
    work(&Cell { purpose: Purpose::Caller, table: "caller", column: "gateway", row: &row })
}

#[test]
fn the_encrypted_column_is_declared_and_opens_with_the_root_key() {
    let report = sample::check(ENCRYPTED, Limits::V1).unwrap();
    assert_eq!(report.tables, [("servers".to_owned(), 2)]);
    let mut archive = sample::open(ENCRYPTED).unwrap();
    let [column] = archive.manifest().encrypted_columns.as_slice() else { panic!("one column") };
    let shown = [&column.table, &column.column, &column.key, &column.aad];
    assert_eq!(shown, ["servers", "bearer", "gateway", "{table}/{column}/{id}"]);

    let id = RawValue::from_string("7".to_owned()).unwrap();
    let filled = AadTemplate::parse(&column.aad).unwrap().fill("servers", "bearer", 1024, [Some(&*id)]);
    let FilledAad::Text(aad) = filled else { panic!("{filled:?}") };
    assert_eq!(aad, "servers/bearer/7");
    let schema = archive.read_schema("servers").unwrap();
    let mut rows = archive.rows(&schema).unwrap();
    let row = rows.next_row().unwrap().unwrap();
    let sealed = row[1].get().trim_matches('"');
    let open = |cell: &Cell<'_>| ring_in(ENCRYPTED).open_value(Purpose::Caller, cell, sealed);
    assert_eq!(with_cell(&aad, open).unwrap().expose(), b"a bearer");
    assert_eq!(rows.next_row().unwrap().unwrap()[1].get(), "null");
}

/// Sealed values are different each time; everything else is the same.
#[test]
fn what_is_written_now_declares_the_same_column() {
    let root = root();
    let version = KeyVersion::create(&root, "gateway", Purpose::Caller, 1);
    let ring = KeyRing::open(&[&root], std::slice::from_ref(&version)).unwrap();
    let sealed = with_cell("servers/bearer/7", |cell| ring.seal("gateway", cell, b"a bearer")).unwrap();
    let rows = [format!(r#"{{"id":7,"bearer":"{sealed}"}}"#), r#"{"id":8,"bearer":null}"#.to_owned()];
    let table = sample::table("servers", &["id", "bearer"], &rows.each_ref().map(String::as_str));
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    writer.write_schema(&table.schema).unwrap();
    writer.start_table(&table.schema, None).unwrap();
    writer.write_rows(table.rows.join(",\n").as_bytes(), 2).unwrap();
    writer.finish_table().unwrap();
    let (kid, root_key_id) = (version.kid.to_string(), root.id().to_string());
    let json = serde_json::json!({"root_key_id": root_key_id, "versions": [{
        "kid": kid, "key_id": "gateway", "purpose": "caller", "number": 1, "state": "primary",
        "root_key_id": root_key_id, "wrapped": version.wrapped,
    }]});
    writer.write_ring(json.to_string().as_bytes()).unwrap();
    let column = EncryptedColumn {
        table: "servers".to_owned(),
        column: "bearer".to_owned(),
        key: "gateway".to_owned(),
        aad: "{table}/{column}/{id}".to_owned(),
    };
    let (root_key_id, kids) = (Some(root_key_id), vec![kid]);
    let head = ManifestHead { root_key_id, kids, encrypted_columns: vec![column], ..sample::head() };
    let (manifest, bytes) = writer.finish(head).unwrap();
    keep("zip/encrypted-columns.zip", &bytes);
    let kept = sample::open(ENCRYPTED).unwrap();
    assert_eq!(manifest.encrypted_columns, kept.manifest().encrypted_columns);
    assert_eq!(sample::contents(&bytes).unwrap()[0], sample::contents(ENCRYPTED).unwrap()[0], "the schema");
}

#[test]
fn what_is_written_now_has_the_same_in_it() {
    let mut postgres = sample::table("a/b", &["id", "value"], &POSTGRES_ROWS);
    postgres.schema.engine = Engine::Postgres;
    postgres.schema.namespace = "public".to_owned();
    let tables = [
        sample::table("notes", &["id", "value"], &SQLITE_ROWS),
        postgres,
        sample::table("none", &["id"], &[]),
    ];
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    for table in tables {
        writer.write_schema(&table.schema).unwrap();
        writer.start_table(&table.schema, None).unwrap();
        writer.write_rows(table.rows.join(",\n").as_bytes(), table.rows.len() as u64).unwrap();
        writer.finish_table().unwrap();
    }
    let database = serde_json::from_str(DATABASE).unwrap();
    writer.write_database(&database).unwrap();
    writer.start_large_object("gateway", 4711).unwrap();
    writer.write(RECORDING).unwrap();
    writer.finish_entry().unwrap();
    for path in [&b"2026/a.cast"[..], ODD_PATH] {
        let path = TruePath::new(path.to_owned()).unwrap();
        let time = "2026-05-06T10:14:22.123456789Z".parse().unwrap();
        writer.start_file("recordings", &path, 0o640, time).unwrap();
        writer.write(RECORDING).unwrap();
        writer.finish_file(false).unwrap();
    }
    writer.write_schedules(b"{}").unwrap();
    writer.write_canary(&"0f".repeat(32)).unwrap();
    writer.write_ring(RING.as_bytes()).unwrap();
    let root = RootKey::generate();
    let version = KeyVersion::create(&root, "signing", Purpose::Signing, 1);
    let signer = KeyRing::open(&[&root], &[version]).unwrap();
    let sign = |manifest: &[u8]| {
        let (archive_id, time) = (sample::head().archive_id, sample::head().created_at);
        let statement = Statement::ArchiveManifest {
            archive_id: &archive_id,
            time: &format!("{time:.6}"),
            digest: &Sha256::digest(manifest).into(),
        };
        let (kid, bytes) = signer.sign("signing", &statement).unwrap();
        Ok(ManifestSignature::new(&kid.to_string(), &archive_id, time, &bytes).unwrap())
    };
    let (_, bytes) = writer.finish_signed(sample::head(), sign).unwrap();
    keep("zip/good.zip", &bytes);
    let key = &signer.public_keys("signing")[0];
    keep("zip/signer.txt", format!("{} {}\n", key.kid, hex::encode(key.bytes)).as_bytes());
    assert_eq!(sample::contents(&bytes).unwrap(), sample::contents(GOOD).unwrap());
}
