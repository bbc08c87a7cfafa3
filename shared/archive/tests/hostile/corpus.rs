//! The corpus: each file's name, how it is made from a valid archive, and the error that refuses it.

mod bombs;
mod entries;
mod frame;
mod manifests;
mod names;
mod rows;
mod writers;

pub(crate) use writers::WRITERS;

use crate::bounds::Bounds;
use crate::case::Spoil;

/// A name, the function that makes the file, and a part of the error that refuses it.
pub(crate) type Row = (&'static str, Spoil, &'static str);

/// Cases with the same cost limits.
pub(crate) struct Group {
    pub(crate) cases: &'static [Row],
    pub(crate) bounds: Bounds,
}

/// Buffers of 64 KiB, a decompressor, and memory kept by the allocator: 1 MiB would suffice. The seconds,
/// here and below, are a hundred times the time of any case: they catch endless loops.
const SMALL: Bounds = Bounds { mebibytes: 8, seconds: 10 };

pub(crate) const GROUPS: &[Group] = &[
    Group { cases: names::NAMES, bounds: SMALL },
    Group { cases: entries::KINDS, bounds: SMALL },
    Group { cases: entries::TWO_SIDES, bounds: SMALL },
    Group { cases: frame::AROUND, bounds: SMALL },
    Group { cases: frame::ENDS, bounds: SMALL },
    Group { cases: WRITERS, bounds: SMALL },
    Group { cases: manifests::TEXTS, bounds: SMALL },
    Group { cases: manifests::LIES, bounds: SMALL },
    Group { cases: rows::SCHEMAS, bounds: SMALL },
    Group { cases: rows::ROWS, bounds: SMALL },
    Group { cases: bombs::BOMBS, bounds: SMALL },
    Group { cases: bombs::DECLARED, bounds: SMALL },
    // 100,000 entries: a name of up to 40 bytes in five tables.
    Group { cases: bombs::MANY, bounds: Bounds { mebibytes: 96, seconds: 60 } },
    // A manifest can have 64 MiB: its text, while the buffer doubles, and as much again for its records.
    Group { cases: bombs::MANIFESTS, bounds: Bounds { mebibytes: 4 * 64, seconds: 60 } },
    // A row can have 256 MiB: once before and once after its buffer doubles.
    Group { cases: bombs::ROWS, bounds: Bounds { mebibytes: 2 * 256 + SMALL.mebibytes, seconds: 120 } },
];

/// Cases that are refused without a manifest.
pub(crate) const STRUCTURE: &[&[Row]] =
    &[names::NAMES, entries::KINDS, entries::TWO_SIDES, frame::AROUND, frame::ENDS];
