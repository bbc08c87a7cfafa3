//! Several sources, each with an archived and a changed state that tests can tell apart.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::dying_restores::databases::Target;

/// Names, content, permissions and seconds since 1970 of the files in a set, sorted by name.
type Listed = Vec<(String, String, u32, u64)>;

/// A directory whose files are restored.
pub(super) struct Files {
    pub(super) source: String,
    folder: TempDir,
    archived: Listed,
    changed: Listed,
}

impl Files {
    /// Creates it with the files that will be in the backup.
    pub(super) fn create(source: &str) -> Self {
        Self::create_in(tempfile::tempdir().unwrap(), source)
    }

    pub(super) fn create_in(folder: TempDir, source: &str) -> Self {
        write(folder.path(), "same.txt", "same", 0o640, 1_000_000_000);
        write(folder.path(), "a/changed.txt", "archived", 0o600, 1_100_000_000);
        write(folder.path(), "a/gone.txt", "gone", 0o644, 1_200_000_000);
        let archived = list(folder.path());
        Self { source: source.to_owned(), folder, archived, changed: Vec::new() }
    }

    /// Makes the application's changes after the backup.
    pub(super) fn change(&mut self) {
        let folder = self.folder.path();
        write(folder, "a/changed.txt", "changed since", 0o644, 1_300_000_000);
        std::fs::remove_file(folder.join("a/gone.txt")).unwrap();
        write(folder, "b/new.txt", "new", 0o600, 1_400_000_000);
        self.changed = list(folder);
    }

    pub(super) fn configuration(&self) -> String {
        let (source, path) = (&self.source, self.folder.path().display());
        format!("[[sources]]\nname = \"{source}\"\nkind = \"files\"\npath = \"{path}\"\n\n")
    }

    /// Whether it has the archive's files; a mixture fails the test.
    pub(super) fn is_restored(&self) -> bool {
        let found = list(self.folder.path());
        assert!(found == self.archived || found == self.changed, "{}: {found:?}", self.source);
        found == self.archived
    }

    pub(super) fn has_ours(&self) -> bool {
        self.folder.path().join(".strongroom").exists()
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Some databases and a set of files that are restored together.
pub(super) struct Platform<'a> {
    pub(super) databases: &'a [Target],
    pub(super) files: &'a Files,
}

impl Platform<'_> {
    pub(super) fn sources(&self) -> String {
        let names: Vec<&str> = self.databases.iter().map(|target| target.source.as_str()).collect();
        format!("{},{}", names.join(","), self.files.source)
    }

    /// Whether each source is restored.
    pub(super) fn are_restored(&self) -> Vec<bool> {
        let mut all: Vec<bool> = self.databases.iter().map(Target::is_restored).collect();
        all.push(self.files.is_restored());
        all
    }

    pub(super) fn have_ours(&self) -> Vec<bool> {
        let mut all: Vec<bool> = self.databases.iter().map(Target::has_ours).collect();
        all.push(self.files.has_ours());
        all
    }
}

fn write(folder: &Path, name: &str, content: &str, mode: u32, seconds: u64) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

fn list(folder: &Path) -> Listed {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.metadata().unwrap());
            if kind.is_dir() {
                if entry.file_name() != ".strongroom" {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            let content = std::fs::read_to_string(&path).unwrap();
            found.push((
                name,
                content,
                kind.permissions().mode() & 0o7777,
                seconds(kind.modified().unwrap()),
            ));
        }
    }
    found.sort();
    found
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}
