//! Fuzzing of `.geb` files: whole ones, whose MAC refuses every change, and the payload under a valid MAC.

use strongroom_fuzz::fuzz;

use super::sample::{Sample, open, seal_quickly};

#[test]
fn whole_files() {
    let file = Sample::new().recording("a.cast", b"data").build();
    fuzz(".geb", &[&file], |changed| {
        open(changed).map_err(|error| error.to_string())?;
        assert!(changed == file, "a changed file is accepted");
        Ok(())
    });
}

#[test]
fn payloads() {
    let seed = Sample::new().recording("a.cast", b"data").recording("b.cast", b"").payload();
    fuzz(".geb payload", &[&seed], |payload| {
        let mut geb = open(&seal_quickly(payload.to_vec())).map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        geb.unpack(&folder.path().join("out"), true).map(drop).map_err(|error| error.to_string())
    });
}
