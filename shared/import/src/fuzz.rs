//! Fuzzing of other products' files.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Cursor, Write as _};

use strongroom_crypto::SecretBytes;
use strongroom_fuzz::{Outcome, fuzz};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{AppKey, Connections, Export};

const KEY: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const MANIFEST: &str = r#"{"format_version":1,"app_name":"PromptGate","app_url":"https://g","created_at":"2026-05-06T10:14:22Z","tables":{"credentials":2}}"#;
const VALUE: &str = "eyJpdiI6IlFFRkNRMFJGUmtkSVNVcEwiLCJ2YWx1ZSI6ImtkS0RURlpaNldLazZTY0hxVmNuYmtcL3hhbVU9IiwibWFjIjoiIiwidGFnIjoiOEVnWFQ3c25KeE9SbFkrMk5xRkhYUT09In0=";

fn outcome<T, E: ToString>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

fn key() -> AppKey {
    AppKey::parse(&SecretBytes::new(KEY.as_bytes().to_vec())).unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Everything that the command reads from an export.
fn import(file: &[u8]) -> Outcome {
    let key = key();
    let mut export = Export::open(Cursor::new(file)).map_err(|error| error.to_string())?;
    let credentials = export.credentials().map_err(|error| error.to_string())?;
    for credential in &credentials {
        let _ = credential.secret.as_deref().map(|secret| key.open(secret));
    }
    let tables = export.survey(&key).map_err(|error| error.to_string())?;
    outcome(export.check_counts(&credentials, &tables))
}

fn rows() -> Vec<u8> {
    format!(
        r#"[{{"id":1,"name":"A","provider":"openai","secret":"{VALUE}","is_active":1}},{{"id":"two","secret":null,"is_active":false}}]"#
    )
    .into_bytes()
}

#[test]
fn exports_of_promptgate() {
    let whole = zip(&[("manifest.json", MANIFEST.as_bytes()), ("tables/credentials.json", &rows())]);
    fuzz("PromptGate export", &[&whole], import);
}

/// Changes the documents first and then builds the ZIP around them: its checksums would refuse most changes of the
/// finished file.
#[test]
fn tables_and_manifests_of_promptgate() {
    fuzz("PromptGate table", &[&rows()], |json| {
        import(&zip(&[("manifest.json", MANIFEST.as_bytes()), ("tables/credentials.json", json)]))
    });
    fuzz("PromptGate manifest", &[MANIFEST.as_bytes()], |json| {
        import(&zip(&[("manifest.json", json), ("tables/credentials.json", &rows())]))
    });
    fuzz("Laravel value", &[VALUE.as_bytes()], |text| {
        outcome(key().open(&String::from_utf8_lossy(text)).map_err(|fault| format!("{fault:?}")))
    });
}

#[test]
fn connections_of_gatwy() {
    let seed = include_bytes!("../tests/gatwy-connections.json");
    fuzz("Gatwy connections", &[seed], |json| outcome(Connections::read(json)));
}
