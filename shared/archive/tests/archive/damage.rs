//! Flipped bits and cut files.

use strongroom_archive::{Error, Limits};

use crate::sample;

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    let bytes = sample::write(&sample::two_tables(), Limits::V1).unwrap();
    let intact = sample::contents(&bytes).unwrap();
    let manifest = sample::open(&bytes).unwrap().manifest().clone();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let Ok(contents) = sample::contents(&damaged) else {
                refused += 1;
                continue;
            };
            assert_eq!(contents, intact, "byte {at}, bit {bit}");
            assert_eq!(sample::open(&damaged).unwrap().manifest(), &manifest);
        }
    }
    // What may change are times, versions and attributes in the headers: 20 bytes an entry or so.
    assert!(refused > bytes.len() * 8 * 8 / 10, "{refused} of {}", bytes.len() * 8);
}

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
    assert_eq!(descriptors.len(), sample::open(&bytes).unwrap().entries().len() + 1);
    for start in descriptors {
        for at in start..start + 24 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let error = sample::open(&damaged).map(drop).unwrap_err();
            assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
        }
    }
}
