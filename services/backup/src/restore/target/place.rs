//! The location of a source's rows and files. A restore stores its markers there under its own id, so two of its
//! sources must not share a location.

use std::path::PathBuf;

/// The location as reported by the source itself, independent of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::restore) enum Place {
    Database(String),
    /// A folder, by a path without links.
    Folder(PathBuf),
    /// Its address.
    Service(String),
}

impl Place {
    pub(in crate::restore) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(one), Self::Folder(other)) => one.starts_with(other) || other.starts_with(one),
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_folder_overlaps_those_inside_it() {
        let folder = |path: &str| Place::Folder(path.into());
        for (one, other, overlaps) in [
            (folder("/data"), folder("/data"), true),
            (folder("/data"), folder("/data/users"), true),
            (folder("/data/users"), folder("/data"), true),
            (folder("/data"), folder("/database"), false),
            (Place::Database("/data".to_owned()), Place::Database("/data".to_owned()), true),
            (Place::Database("/data".to_owned()), Place::Database("/data/users".to_owned()), false),
            (Place::Database("/data".to_owned()), folder("/data"), false),
        ] {
            assert_eq!(one.overlaps(&other), overlaps, "{one:?} {other:?}");
        }
    }
}
