//! Lying descriptors and truncated files. Flipped bits are tested in `flipped`.

use strongroom_archive::{Error, Limits};

use crate::sample;

#[test]
fn a_cut_file_is_refused_at_every_length() {
    let bytes = sample::write(&sample::two_tables(), Limits::V1).unwrap();
    for length in 0..bytes.len() {
        let cut = sample::open(&bytes[..length]).map(drop);
        assert!(matches!(cut, Err(Error::NoEndRecord)), "{length}: {cut:?}");
    }
}

#[test]
fn a_descriptor_that_disagrees_is_refused_wherever_it_does() {
    let bytes = sample::write(&sample::two_tables(), Limits::V1).unwrap();
    let descriptors: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"PK\x07\x08")).collect();
    assert_eq!(descriptors.len(), sample::open(&bytes).unwrap().entries().len());
    for start in descriptors {
        for at in start..start + 24 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let error = sample::open(&damaged).map(drop).unwrap_err();
            assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
        }
    }
}
