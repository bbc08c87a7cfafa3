//! Fuzzing of the parts of an archive, without the digests that refuse most changes of a whole one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Cursor, Read as _};

use serde_json::value::RawValue;
use strongroom_fuzz::{Outcome, fuzz};

use crate::document::{DocumentLimits, Outline, TakeRows};
use crate::manifest::{Manifest, ManifestSignature};
use crate::schema::{DatabaseSchema, Engine, TableSchema};
use crate::{ArchiveReader, BoundedText, Limits, RowReader, SqliteValue, pg_text, text_within};

const GOOD: &[u8] = include_bytes!("../tests/vectors/zip/good.zip");
const COLUMNS: &[u8] = include_bytes!("../tests/vectors/zip/encrypted-columns.zip");

fn outcome<T, E: ToString>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

fn archive(file: &'static [u8]) -> ArchiveReader<Cursor<&'static [u8]>> {
    ArchiveReader::open(Cursor::new(file), Limits::V1).unwrap()
}

/// The text of each entry whose name begins with `folder`.
fn entries(folder: &str) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for file in [GOOD, COLUMNS] {
        let mut archive = archive(file);
        let names: Vec<String> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
        for name in names.iter().filter(|name| name.starts_with(folder)) {
            let mut text = Vec::new();
            archive.entry(name).unwrap().read_to_end(&mut text).unwrap();
            texts.push(text);
        }
    }
    texts
}

fn seeds(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    texts.iter().map(Vec::as_slice).collect()
}

/// A manifest that is accepted is accepted again after it was serialized, and serializes to the same bytes.
#[test]
fn manifests() {
    let texts = [GOOD, COLUMNS].map(|file| archive(file).manifest_json().to_vec());
    fuzz("manifest", &seeds(&texts), |json| {
        let manifest = Manifest::parse(json).map_err(|error| error.to_string())?;
        let printed = serde_json::to_vec(&manifest).unwrap();
        let again = Manifest::parse(&printed).unwrap();
        assert_eq!(serde_json::to_vec(&again).unwrap(), printed);
        Ok(())
    });
}

#[test]
fn signatures() {
    let id = "01890000-0000-7000-8000-000000000000";
    let signature =
        ManifestSignature::new("0123456789abcdef", id, "2030-01-31T12:00:00Z".parse().unwrap(), &[7; 64]);
    let text = signature.unwrap().to_string();
    fuzz("manifest signature", &[text.as_bytes()], |line| {
        let text = String::from_utf8_lossy(line);
        let signature: ManifestSignature = text.parse().map_err(|_| "another form".to_owned())?;
        assert_eq!(signature.to_string().parse::<ManifestSignature>().unwrap(), signature);
        Ok(())
    });
}

#[test]
fn schemas() {
    let tables = entries("schema/");
    fuzz("table schema", &seeds(&tables), |json| {
        let schema: TableSchema = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let printed = serde_json::to_vec(&schema).unwrap();
        assert_eq!(serde_json::from_slice::<TableSchema>(&printed).unwrap(), schema);
        Ok(())
    });
    let databases = entries("databases/");
    fuzz("database schema", &seeds(&databases), |json| {
        outcome(serde_json::from_slice::<DatabaseSchema>(json))
    });
}

/// Rows, and every value of a row that is accepted.
#[test]
fn rows() {
    let mut schema = TableSchema::empty("gateway", Engine::Sqlite, "t");
    schema.columns = ["id", "a b", "c\"d"]
        .map(|name| crate::schema::Column { name: name.into(), ..Default::default() })
        .to_vec();
    let table = b"[\n{\"id\":1,\"a b\":\"x\\ud83e\\udd80y\",\"c\\\"d\":{\"$blob\":\"AAEC\"}},\n{\"id\":-2.5e3,\"a b\":null,\"c\\\"d\":{\"$real\":\"inf\"}},\n{\"id\":true,\"a b\":{\"$text\":\"/w==\"},\"c\\\"d\":\"\"}\n]\n";
    fuzz("rows", &[table, b"[]\n"], |json| {
        let mut rows = RowReader::open(json, "tables/t.json".into(), &schema, 4096);
        while let Some(values) = rows.next_row().map_err(|error| error.to_string())? {
            assert_eq!(values.len(), 3);
            values.iter().for_each(|value| use_value(value));
        }
        Ok(())
    });
}

fn use_value(value: &RawValue) {
    let _ = SqliteValue::from_json(value);
    let _ = pg_text(value);
    if let BoundedText::Text(text) = text_within(value, 5) {
        assert!(text.len() <= 5);
    }
}

struct Count(usize);

impl TakeRows for Count {
    fn row(&mut self, _: usize, _: &[&RawValue]) -> io::Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn end(&mut self, _: usize) -> io::Result<()> {
        Ok(())
    }
}

/// A document is read in two passes, and both find the same number of rows.
#[test]
fn documents() {
    let limits = DocumentLimits { row_bytes: 200, head_bytes: 4096 };
    let seed = include_bytes!("../tests/vectors/document.json");
    fuzz("document", &[seed], |json| {
        let outline = Outline::read(json, limits).map_err(|error| error.to_string())?;
        let mut counted = Count(0);
        outline.read_rows(json, limits, &mut counted).map_err(|error| format!("second pass: {error}"))?;
        assert_eq!(counted.0 as u64, outline.tables.iter().map(|table| table.rows).sum::<u64>());
        Ok(())
    });
}
