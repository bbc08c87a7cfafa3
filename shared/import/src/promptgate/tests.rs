#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Cursor, Write as _};

use strongroom_crypto::SecretBytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const KEY: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const MANIFEST: &str = r#"{"format_version":1,"app_name":"PromptGate","app_url":"https://g","created_at":"2026-05-06T10:14:22Z","tables":{"users":1}}"#;
const VALUE: &str = "eyJpdiI6IlFFRkNRMFJGUmtkSVNVcEwiLCJ2YWx1ZSI6ImtkS0RURlpaNldLazZTY0hxVmNuYmtcL3hhbVU9IiwibWFjIjoiIiwidGFnIjoiOEVnWFQ3c25KeE9SbFkrMk5xRkhYUT09In0=";

fn key() -> AppKey {
    AppKey::parse(&SecretBytes::new(KEY.as_bytes().to_vec())).unwrap()
}

fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(entries: &[(&str, &str)]) -> Result<Export<Cursor<Vec<u8>>>> {
    Export::open(Cursor::new(zip(entries)))
}

fn refused(entries: &[(&str, &str)]) -> String {
    open(entries).map(drop).unwrap_err().to_string()
}

fn credentials(json: &str) -> Result<Vec<StoredCredential>> {
    open(&[("manifest.json", MANIFEST), ("tables/credentials.json", json)]).unwrap().credentials()
}

#[test]
fn credentials_are_read_as_databases_print_them() {
    let rows = format!(
        r#"[ {{"id":1,"name":"A","provider":"openai","secret":"{}","is_active":1}},
            {{"id":"two","name":"B","provider":"azure","secret":null,"is_active":false}},
            {{"id":3,"is_active":0}} , {{"id":4,"is_active":true}}, {{"id":5}} ]"#,
        VALUE.replace('/', "\\/")
    );
    let found = credentials(&rows).unwrap();
    let ids: Vec<_> = found.iter().map(|one| (one.id.as_str(), one.active)).collect();
    assert_eq!(
        ids,
        [("1", Some(true)), ("two", Some(false)), ("3", Some(false)), ("4", Some(true)), ("5", None)]
    );
    assert_eq!((found[0].name.as_str(), found[0].provider.as_str()), ("A", "openai"));
    assert_eq!(found[0].secret.as_deref(), Some(VALUE));
    assert_eq!(found[1].secret, None);
    assert!(open(&[("manifest.json", MANIFEST)]).unwrap().credentials().unwrap().is_empty());
}

#[test]
fn rows_that_make_no_sense_are_refused_without_repeating_them() {
    for json in
        ["", "{}", "[1]", "[\"sk-hidden\"]", "[{\"id\":1}", "[{\"id\":1}]x", "[{\"id\":null}]", "[{}]"]
    {
        let error = credentials(json).map(|found| found.len()).unwrap_err().to_string();
        assert!(error.starts_with("tables/credentials.json "), "{json}: {error}");
        assert!(!error.contains("hidden"), "{json}: {error}");
    }
    let error = credentials("[{\"id\":1},{}]").map(drop).unwrap_err().to_string();
    assert_eq!(error, "tables/credentials.json row 2 has no id");
}

#[test]
fn the_rest_is_counted() {
    let servers =
        format!(r#"[{{"id":1,"bearer":"{VALUE}"}},{{"id":2,"bearer":"eyJpdiI6broken"}},{{"id":3}}]"#);
    let endpoints = r#"[{"id":1,"credential_id":1},{"id":2,"credential_id":null}]"#;
    let entries = [
        ("manifest.json", MANIFEST),
        ("tables/mcp_servers.json", &servers),
        ("tables/endpoints.json", endpoints),
    ];
    let found = open(&entries).unwrap().survey(&key()).unwrap();
    let bearer = [("bearer".to_owned(), EncryptedColumn { values: 2, opened: 1 })].into();
    let servers = TableSurvey { table: "mcp_servers".into(), rows: 3, references: 0, encrypted: bearer };
    let endpoints = TableSurvey { table: "endpoints".into(), rows: 2, references: 1, ..Default::default() };
    assert_eq!(found, [servers, endpoints]);
}

#[test]
fn a_wrong_key_is_told_from_single_broken_values() {
    let row = |secret: &str| StoredCredential {
        id: "1".into(),
        name: String::new(),
        provider: String::new(),
        secret: Some(secret.into()),
        active: Some(true),
    };
    let other = KEY.replace("AAEC", "AAED");
    let other = AppKey::parse(&SecretBytes::new(other.into_bytes())).unwrap();
    assert!(matches!(other.check(&[row(VALUE), row("plain")]), Err(Error::WrongAppKey(1))));
    let both = AppKey::parse(&SecretBytes::new(
        format!("APP_KEY={}\nAPP_PREVIOUS_KEYS=base64:,{KEY}", KEY.replace("AAEC", "AAED")).into_bytes(),
    ));
    assert!(both.unwrap().check(&[row(VALUE)]).is_ok(), "an earlier key opens it");
    let broken = VALUE.replace("eyJpdiI6IlFF", "eyJpdiI6IlFG");
    assert!(key().open(&broken).is_err());
    assert!(key().check(&[row(&broken), row(VALUE)]).is_ok());
    assert!(key().check(&[row("plain")]).is_ok() && key().check(&[]).is_ok());
}

#[test]
fn what_is_no_export_is_refused() {
    assert!(Export::open(Cursor::new(b"ALTBAK\x01".to_vec())).is_err());
    assert!(refused(&[("tables/users.json", "[]")]).contains("no entry \"manifest.json\""));
    let future = MANIFEST.replace("\"format_version\":1", "\"format_version\":2");
    assert!(refused(&[("manifest.json", &future)]).contains("format version 2"));
    let own = MANIFEST.replace("{\"format", "{\"archive_id\":\"1\",\"format");
    assert!(refused(&[("manifest.json", &own)]).contains("Strongroom itself"));
    assert!(refused(&[("manifest.json", "{}")]).contains("not that of a PromptGate export"));
    assert!(refused(&[("manifest.json", MANIFEST), ("../evil", "")]).contains("climbs out"));
    assert!(refused(&[("manifest.json", MANIFEST), ("a", ""), ("A", "")]).contains("letter case"));
    let large = format!("{MANIFEST}{}", " ".repeat(1 << 20));
    assert!(refused(&[("manifest.json", &large)]).contains("exceeds the limit of 1048576 bytes"));
}

#[test]
fn damage_and_endless_rows_are_refused() {
    let entries = [("manifest.json", MANIFEST), ("tables/users.json", "[{\"id\":1}]")];
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(name, stored).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let mut file = zip.finish().unwrap().into_inner();
    let at = file.windows(8).position(|window| window == b"{\"id\":1}").unwrap();
    file[at + 6] = b'2';
    let error = Export::open(Cursor::new(file)).unwrap().survey(&key()).unwrap_err().to_string();
    assert!(error.contains("\"tables/users.json\" is damaged"), "{error}");

    let endless = format!("[{{\"id\":\"{}\"}}]", "x".repeat(17 << 20));
    let mut export = open(&[("manifest.json", MANIFEST), ("tables/users.json", &endless)]).unwrap();
    let error = export.survey(&key()).unwrap_err().to_string();
    assert!(error.contains("a row is larger than 16777216 bytes"), "{error}");
}

#[test]
fn counts_that_lie_are_refused_by_table() {
    let check = |counts: &str| {
        let manifest = MANIFEST.replace("{\"users\":1}", counts);
        let entries = [
            ("manifest.json", &*manifest),
            ("tables/credentials.json", "[{\"id\":1},{\"id\":2}]"),
            ("tables/users.json", "[{\"id\":1}]"),
            ("tables/empty.json", "[]"),
        ];
        let mut export = open(&entries)?;
        let (credentials, tables) = (export.credentials()?, export.survey(&key())?);
        export.check_counts(&credentials, &tables)
    };
    check(r#"{"users":1,"credentials":2,"empty":0}"#).unwrap();
    for (counts, expected) in [
        (r#"{"users":2,"credentials":2,"empty":0}"#, "counts 2 rows in \"users\", but 1 are there"),
        (r#"{"users":1,"credentials":1,"empty":0}"#, "counts 1 rows in \"credentials\", but 2 are there"),
        (
            r#"{"users":1,"credentials":2,"empty":0,"more":0}"#,
            "lists the table \"more\", but there is no tables/more.json",
        ),
        (r#"{"users":1,"credentials":2}"#, "does not list the table \"empty\", which is there"),
        (r#"{"users":1,"empty":0}"#, "does not list the table \"credentials\", which is there"),
        (r#"{"users":1,"users":1,"credentials":2,"empty":0}"#, "is not that of a PromptGate export"),
        (r#"{"users":-1,"credentials":2,"empty":0}"#, "is not that of a PromptGate export"),
    ] {
        let error = check(counts).unwrap_err().to_string();
        assert!(error.starts_with("manifest.json ") && error.contains(expected), "{counts}: {error}");
    }
}
