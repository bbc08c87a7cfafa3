//! Disk space that an embedded database uses, and disk space available to it.

use std::path::{Path, PathBuf};

use crate::url::{DatabaseUrl, Engine};

/// The disk of an embedded database, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Size of its file and of the files beside it: the write-ahead log and its index.
    pub used: u64,
    /// Space that an unprivileged process can still write to the file system.
    pub free: u64,
}

impl Disk {
    /// The disk of the database at `url`; `None` for a server database, or if the file system does not report
    /// it.
    #[must_use]
    pub fn of(url: &DatabaseUrl) -> Option<Self> {
        match url.engine() {
            Engine::Sqlite(path) => Self::of_file(path),
            Engine::Postgres(_) => None,
        }
    }

    fn of_file(path: &Path) -> Option<Self> {
        let system = rustix::fs::statvfs(path).ok()?;
        let size = |suffix: &str| beside(path, suffix).metadata().map_or(0, |metadata| metadata.len());
        let used = ["", "-wal", "-shm"].into_iter().map(size).sum();
        Some(Self { used, free: system.f_bavail.saturating_mul(system.f_frsize) })
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_database_count_together() {
        let folder = std::env::temp_dir().join(format!("strongroom-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.db");
        std::fs::write(&file, [0; 10]).unwrap();
        std::fs::write(folder.join("a.db-wal"), [0; 5]).unwrap();
        let url = DatabaseUrl::sqlite_file(&file).unwrap();
        let disk = Disk::of(&url).unwrap();
        assert_eq!(disk.used, 15);
        assert!(disk.free > 0);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(Disk::of(&url), None);
        assert_eq!(Disk::of(&DatabaseUrl::parse("postgres://a@b/c").unwrap()), None);
    }
}
