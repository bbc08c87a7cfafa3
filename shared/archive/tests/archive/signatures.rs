//! `manifest.sig`: written last, covers the exact bytes of the manifest, and is read only on request.

use std::io;

use strongroom_archive::{ArchiveWriter, Compression, Error, Limits, ManifestSignature};

use crate::sample;

const KID: &str = "0123456789abcdef";

fn signature() -> ManifestSignature {
    ManifestSignature::new(KID, &sample::head().archive_id, sample::head().created_at, &[7; 64]).unwrap()
}

fn signed(sign: impl FnOnce(&[u8]) -> io::Result<ManifestSignature>) -> Result<Vec<u8>, Error> {
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    writer.write_ring(b"{}")?;
    Ok(writer.finish_signed(sample::head(), sign)?.1)
}

#[test]
fn what_is_signed_is_what_a_reader_has() {
    let mut shown = Vec::new();
    let bytes = signed(|manifest| {
        shown = manifest.to_vec();
        Ok(signature())
    });
    let bytes = bytes.unwrap();
    sample::check(&bytes, Limits::V1).unwrap();
    let mut archive = sample::open(&bytes).unwrap();
    assert_eq!(archive.manifest_json(), shown);
    assert_eq!(archive.signature().unwrap(), Some(signature()));
    let unsigned = sample::write(&[], Limits::V1).unwrap();
    assert_eq!(sample::open(&unsigned).unwrap().signature().unwrap(), None);
}

#[test]
fn without_a_signature_that_was_wanted_there_is_no_archive() {
    let error = signed(|_| Err(io::Error::other("the vault is away"))).unwrap_err();
    assert!(matches!(&error, Error::Sink(source) if source.to_string() == "the vault is away"), "{error}");
}

/// The signature counts towards the number of entries that a reader accepts.
#[test]
fn it_is_an_entry_within_the_limit() {
    let write = |entries| {
        let limits = Limits { entries, ..Limits::V1 };
        let mut writer = ArchiveWriter::create(Vec::new(), limits, Compression::default());
        writer.write_ring(b"{}")?;
        Ok(writer.finish_signed(sample::head(), |_| Ok(signature()))?.1)
    };
    sample::check(&write(3).unwrap(), Limits { entries: 3, ..Limits::V1 }).unwrap();
    let error: Error = write(2).unwrap_err();
    assert!(matches!(error, Error::Limit { limit: 2, .. }), "{error}");
}
