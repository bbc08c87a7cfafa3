//! The corpus: what each file is, how an honest archive becomes it, and what is said of it.

mod bombs;
mod entries;
mod frame;
mod manifests;
mod names;
mod rows;

use crate::bounds::Bounds;
use crate::case::Spoil;

/// A name, what makes the file, and a part of the sentence that refuses it.
pub(crate) type Row = (&'static str, Spoil, &'static str);

/// Cases that may cost the same.
pub(crate) struct Group {
    pub(crate) cases: &'static [Row],
    pub(crate) bounds: Bounds,
}

/// Buffers, a decompressor, and what the allocator keeps.
const SMALL: Bounds = Bounds { mebibytes: 8, seconds: 10 };

pub(crate) const GROUPS: &[Group] = &[
    Group { cases: names::NAMES, bounds: SMALL },
    Group { cases: entries::KINDS, bounds: SMALL },
    Group { cases: entries::TWO_SIDES, bounds: SMALL },
    Group { cases: frame::AROUND, bounds: SMALL },
    Group { cases: frame::ENDS, bounds: SMALL },
    Group { cases: manifests::TEXTS, bounds: SMALL },
    Group { cases: manifests::LIES, bounds: SMALL },
    Group { cases: rows::SCHEMAS, bounds: SMALL },
    Group { cases: rows::ROWS, bounds: SMALL },
    Group { cases: bombs::BOMBS, bounds: SMALL },
    Group { cases: bombs::DECLARED, bounds: SMALL },
    Group { cases: bombs::MANY, bounds: Bounds { mebibytes: 96, seconds: 60 } },
    // Up to 64 MiB are the manifest's by right, in a buffer that doubles.
    Group { cases: bombs::MANIFESTS, bounds: Bounds { mebibytes: 160, seconds: 60 } },
    // A row may have 256 MiB, in a buffer that doubles.
    Group { cases: bombs::ROWS, bounds: Bounds { mebibytes: 600, seconds: 120 } },
];

/// What needs no manifest to be refused.
pub(crate) const STRUCTURE: &[&[Row]] =
    &[names::NAMES, entries::KINDS, entries::TWO_SIDES, frame::AROUND, frame::ENDS];
