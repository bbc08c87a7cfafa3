//! Malicious files. Each is refused with its own message, plain and sealed, with limited memory and time.
//!
//! A separate test target, because a process's memory can only be measured while nothing else runs in it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod accepted;
mod bounds;
mod case;
mod corpus;
mod fuzz;
#[path = "../../../age/tests/kept/mod.rs"]
mod kept;
mod memory;
mod raw_zip;
mod sealed;
mod vectors;

use std::collections::HashMap;
use std::io::{Cursor, Read, Seek};

use strongroom_archive::{ArchiveReader, Error, Limits, PlainZip, Report, verify};

use crate::bounds::{Alone, Bounds};
use crate::corpus::Group;

pub(crate) fn check(file: impl Read + Seek) -> Result<Report, Error> {
    let mut archive = ArchiveReader::open(file, Limits::V1)?;
    verify(&mut archive, &mut |_| {})
}

#[test]
fn each_is_refused_with_its_own_sentence_in_bounded_memory_and_time() {
    let alone = Alone::wait();
    let mut wrong = Vec::new();
    for Group { cases, bounds } in corpus::GROUPS {
        let mut sentences = HashMap::new();
        for (name, spoil, sentence) in *cases {
            let file = case::spoiled(*spoil);
            let said = refusal(&alone, *bounds, || check(Cursor::new(&file)));
            if !said.contains(sentence) {
                wrong.push(format!("{name}: {said}"));
            }
            let sealed = sealed::seal(&file);
            let path = format!("corpus/{}.zip", name.replace(' ', "-"));
            kept::keep(&path, &file);
            kept::keep(&format!("{path}.age"), &sealed);
            let said_sealed = refusal(&alone, *bounds, || sealed::check(&sealed));
            if said_sealed != said {
                wrong.push(format!("{name}, sealed: {said_sealed}"));
            }
            if let Some(other) = sentences.insert(said, name) {
                wrong.push(format!("{name}: the same is said of {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The message that refuses a file, or a description of why the refusal is wrong.
fn refusal(alone: &Alone, bounds: Bounds, check: impl FnOnce() -> Result<Report, Error>) -> String {
    let (result, cost) = alone.measure(check);
    match result {
        _ if !cost.within(bounds) => format!("it takes {cost:?}, and {bounds:?} are allowed"),
        Err(error) => error.to_string(),
        Ok(report) => format!("it is accepted: {report:?}"),
    }
}

/// Exports of other products must pass the same ZIP policy, without a manifest to compare their contents
/// with.
#[test]
fn foreign_exports_pass_the_same_policy() {
    let _alone = Alone::wait();
    for (name, spoil, sentence) in corpus::STRUCTURE.iter().copied().flatten() {
        let file = case::spoiled(*spoil);
        let error = PlainZip::open(Cursor::new(file), Limits::V1).map(drop).unwrap_err().to_string();
        assert!(error.contains(sentence), "{name} says: {error}");
    }
}
