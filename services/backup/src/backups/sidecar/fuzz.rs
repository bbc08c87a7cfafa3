//! Fuzzing of sidecars: only the record that was signed counts.

use strongroom_fuzz::fuzz;

use super::tests::{KEY, as_sidecar, keys, record, ring, signed};
use super::*;

#[test]
fn sidecars() {
    let ring = ring();
    let (text, keys) = (signed(&ring, &record(), as_sidecar), keys(&ring));
    fuzz("sidecar", &[text.as_bytes()], |bytes| match judge(bytes, KEY, &keys) {
        Judged::Good(found) => {
            assert_eq!(*found, record(), "a changed record counts");
            Ok(())
        }
        Judged::Refused(problem) => Err(problem),
        _ => Err("unverified".to_owned()),
    });
}
