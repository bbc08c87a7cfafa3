//! Facts that identify a file and one of its states.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

/// Inode, size, permission bits and time of a file. The device is not recorded: it is always that of the set's
/// directory, and a device's number may change at a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub(super) inode: u64,
    pub(super) bytes: u64,
    pub(super) mode: u32,
    pub(super) seconds: i64,
    pub(super) nanos: i64,
}

/// An entry of a folder, without following links.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) kind: FileType,
    pub(super) device: u64,
    /// The owner's user number.
    pub(super) owner: u32,
    pub(super) facts: Facts,
}

impl Seen {
    #[expect(clippy::unnecessary_cast, reason = "the types of these fields are not the same on every system")]
    pub(super) fn of(stat: &Stat) -> Self {
        let facts = Facts {
            inode: stat.st_ino as u64,
            bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            mode: stat.st_mode as u32 & 0o7777,
            seconds: stat.st_mtime as i64,
            nanos: stat.st_mtime_nsec as i64,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        Self { kind, device: stat.st_dev as u64, owner: stat.st_uid as u32, facts }
    }

    /// The kind of an object that is not a regular file.
    pub(super) fn named(&self) -> &'static str {
        named(self.kind)
    }
}

/// For display.
pub(super) fn named(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        _ => "a special file",
    }
}
