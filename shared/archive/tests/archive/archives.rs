//! An archive that must open for ever, to the byte. It is compared with one made now; that of a release stays.
//!
//! The sealed ones are in `seal::vectors`, the bad ones with the hostile files.

use strongroom_archive::schema::Engine;
use strongroom_archive::{ArchiveWriter, Compression, EntryKind, EntryMeta, Limits, ManifestSignature};
use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey, SignatureDomain, verify};

use crate::kept::keep;
use crate::sample;

const GOOD: &[u8] = include_bytes!("../vectors/zip/good.zip");
const SIGNER: &str = include_str!("../vectors/zip/signer.txt");

const SQLITE_ROWS: [&str; 4] = [
    r#"{"id":1,"value":null}"#,
    r#"{"id":9223372036854775807,"value":-0.0}"#,
    r#"{"id":"größe \u0000","value":{"$real":"-inf"}}"#,
    r#"{"id":{"$blob":"AP8="},"value":{"$text":"Yf8="}}"#,
];
const POSTGRES_ROWS: [&str; 2] = [r#"{"id":1.10,"value":"NaN"}"#, r#"{"id":true,"value":"{1,NULL}"}"#];
const RING: &str = r#"{"versions":[]}"#;
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
        "files/recordings/2026/a.cast",
        "keys/ring.json",
    ];
    assert_eq!(names, expected);
    assert_eq!(of("tables/notes.json"), format!("[\n{}\n]\n", SQLITE_ROWS.join(",\n")).as_bytes());
    assert_eq!(of("tables/a%2Fb.json"), format!("[\n{}\n]\n", POSTGRES_ROWS.join(",\n")).as_bytes());
    assert_eq!(of("tables/none.json"), b"[]\n");
    assert_eq!(of("files/recordings/2026/a.cast"), RECORDING);
    assert_eq!(of("keys/ring.json"), RING.as_bytes());

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
    let manifest = archive.manifest_json();
    verify(&key, SignatureDomain::ArchiveManifest, manifest, signature.bytes()).unwrap();
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
        writer.start_table(&table.schema.name, &table.schema.source).unwrap();
        writer.write_rows(table.rows.join(",\n").as_bytes(), table.rows.len() as u64).unwrap();
        writer.finish_table().unwrap();
    }
    let name = "files/recordings/2026/a.cast".to_owned();
    let source = Some("recordings".to_owned());
    writer.start_entry(EntryMeta { name, kind: EntryKind::File, table: None, source }).unwrap();
    writer.write(RECORDING).unwrap();
    writer.finish_entry(None).unwrap();
    writer.write_ring(RING.as_bytes()).unwrap();
    let root = RootKey::generate();
    let version = KeyVersion::create(&root, "signing", Purpose::Signing, 1);
    let signer = KeyRing::open(&[&root], &[version]).unwrap();
    let sign = |manifest: &[u8]| {
        let (kid, bytes) = signer.sign("signing", SignatureDomain::ArchiveManifest, manifest).unwrap();
        Ok(ManifestSignature::new(&kid.to_string(), &bytes).unwrap())
    };
    let (_, bytes) = writer.finish_signed(sample::head(), sign).unwrap();
    assert_eq!(sample::contents(&bytes).unwrap(), sample::contents(GOOD).unwrap());
    keep("zip/good.zip", &bytes);
    let key = &signer.public_keys("signing")[0];
    keep("zip/signer.txt", format!("{} {}\n", key.kid, hex::encode(key.bytes)).as_bytes());
}
