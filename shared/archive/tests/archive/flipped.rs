//! A single bit changed anywhere in a plain signed archive.

use jiff::Timestamp;
use serde_json::json;
use strongroom_archive::manifest::TruePath;
use strongroom_archive::schema::Engine;
use strongroom_archive::{ArchiveWriter, Compression, Error, Limits, verify, verify_frame};

use crate::sample;
use crate::signed::Signer;

const FLIPS: usize = 10_000;

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn tables() -> [sample::Table; 3] {
    let rows: Vec<String> = (0..100).map(|id| format!(r#"{{"id":{id},"name":"name {}"}}"#, id * 7)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut postgres = sample::table("a/b", &["id", "name"], &[r#"{"id":1.10,"name":"{1,NULL}"}"#]);
    postgres.schema.engine = Engine::Postgres;
    [sample::table("größe", &["id", "name"], &rows), postgres, sample::table("empty", &["id"], &[])]
}

/// One of each kind of entry, deflated in blocks of every type: noise is stored, a short text uses the fixed
/// codes, and a table has its own codes.
fn archive(signer: &Signer) -> Vec<u8> {
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    let database = json!({"source": "gateway", "engine": "sqlite"});
    writer.write_database(&serde_json::from_value(database).unwrap()).unwrap();
    for table in tables() {
        writer.write_schema(&table.schema).unwrap();
        writer.start_table(&table.schema, None).unwrap();
        writer.write_rows(table.rows.join(",\n").as_bytes(), table.rows.len() as u64).unwrap();
        writer.finish_table().unwrap();
    }
    for (path, content) in [("noise", noise(1500)), ("zeros", vec![0; 5000]), ("none", Vec::new())] {
        start_file(&mut writer, path);
        writer.write(&content).unwrap();
        writer.finish_file(false).unwrap();
    }
    writer.write_canary(&"0f".repeat(32)).unwrap();
    writer.write_ring(br#"{"keys":[]}"#).unwrap();
    writer.finish_signed(sample::head(), |manifest| Ok(signer.sign(manifest))).unwrap().1
}

/// Whether a reader that verifies everything, including the signature, finds no fault.
fn passes(signer: &Signer, bytes: &[u8]) -> bool {
    let Ok(mut archive) = sample::open(bytes) else { return false };
    if verify(&mut archive, &mut |_| {}).is_err() {
        return false;
    }
    let Ok(Some(signature)) = archive.signature() else { return false };
    sample::verify_signature(&signer.public(), &archive, &signature).is_ok()
}

#[test]
fn of_10_000_one_bit_flips_none_goes_unnoticed() {
    let signer = Signer::new();
    let mut bytes = archive(&signer);
    assert!(passes(&signer, &bytes));
    let bits = bytes.len() * 8;
    assert!(bits >= FLIPS, "{bits} bits");
    let mut unnoticed = Vec::new();
    for number in 0..FLIPS {
        let bit = number * bits / FLIPS;
        bytes[bit / 8] ^= 1 << (bit % 8);
        if passes(&signer, &bytes) {
            unnoticed.push(bit);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(unnoticed.is_empty(), "{} of {FLIPS}: bits {unnoticed:?} of {bits}", unnoticed.len());
}

/// In fields that nothing reads, every bit still matters.
#[test]
fn no_bit_around_the_last_entries_goes_unnoticed() {
    let signer = Signer::new();
    let mut bytes = archive(&signer);
    let manifest = sample::open(&bytes).unwrap().manifest_json().to_vec();
    let place = bytes.windows(manifest.len()).position(|window| window == manifest).unwrap();
    let header = place - 70..place;
    let behind = place + manifest.len()..bytes.len();
    for at in header.chain(behind) {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(!passes(&signer, &bytes), "byte {at}, bit {bit}");
            bytes[at] ^= 1 << bit;
        }
    }
}

fn start_file(writer: &mut ArchiveWriter<Vec<u8>>, path: &str) {
    let path = TruePath::new(path.as_bytes().to_vec()).unwrap();
    writer.start_file("recordings", &path, 0o644, Timestamp::UNIX_EPOCH).unwrap();
}

/// For callers that verify entry by entry.
#[test]
fn the_frame_is_checked_alone_and_can_be_left() {
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    start_file(&mut writer, "noise");
    writer.write(&noise(5 << 19)).unwrap();
    writer.finish_file(false).unwrap();
    let (_, mut bytes) = writer.finish(sample::head()).unwrap();
    let mut told = Vec::new();
    let mut tell = |bytes| {
        told.push(bytes);
        Ok(())
    };
    verify_frame(&mut sample::open(&bytes).unwrap(), &mut tell).unwrap();
    assert_eq!(told, [1 << 20, 2 << 20]);

    // Part of the version that the first header requires.
    bytes[5] ^= 1;
    let mut archive = sample::open(&bytes).unwrap();
    let changed = verify_frame(&mut archive, &mut |_| Ok(()));
    assert!(matches!(changed, Err(Error::Frame)), "{changed:?}");
    let left = verify_frame(&mut archive, &mut |_| Err(Error::Usage("enough")));
    assert!(matches!(left, Err(Error::Usage("enough"))), "{left:?}");
}
