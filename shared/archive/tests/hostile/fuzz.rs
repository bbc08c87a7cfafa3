//! Fuzzing of whole archives: a changed archive is refused.

use std::io::Cursor;

use strongroom_fuzz::fuzz;

use crate::bounds::Alone;
use crate::{check, sealed};

const GOOD: &[u8] = include_bytes!("../vectors/zip/good.zip");
const COLUMNS: &[u8] = include_bytes!("../vectors/zip/encrypted-columns.zip");

#[test]
fn archives() {
    let _alone = Alone::wait();
    fuzz("archive", &[GOOD, COLUMNS], |file| {
        let verified = check(Cursor::new(file)).map_err(|error| error.to_string())?;
        assert!(file == GOOD || file == COLUMNS, "a changed archive verifies: {verified:?}");
        Ok(())
    });
}

#[test]
fn sealed_archives() {
    let _alone = Alone::wait();
    let file = sealed::seal(GOOD);
    fuzz("sealed archive", &[&file], |changed| {
        sealed::check(changed).map_err(|error| error.to_string())?;
        assert!(changed == file, "a changed seal opens");
        Ok(())
    });
}
