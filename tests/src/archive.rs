//! An archive file, opened by a ZIP reader that knows nothing about the archive format.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zip::ZipArchive;

/// A ZIP file on disk.
#[derive(Debug)]
pub struct Archive {
    /// Path of the file.
    pub path: PathBuf,
}

impl Archive {
    /// The archive at `path`, which must exist.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        assert!(path.is_file(), "{} is an archive", path.display());
        Self { path: path.to_owned() }
    }

    /// The only file in a folder.
    #[must_use]
    pub fn only_one_in(folder: &Path) -> Self {
        let files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        Self::at(&files[0])
    }

    /// Its file name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.file_name().unwrap().to_str().unwrap()
    }

    /// Every entry, decompressed.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let mut zip = ZipArchive::new(std::fs::File::open(&self.path).unwrap()).unwrap();
        (0..zip.len())
            .map(|index| {
                let mut entry = zip.by_index(index).unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                (entry.name().unwrap().into_owned(), bytes)
            })
            .collect()
    }

    /// One entry as JSON.
    #[must_use]
    pub fn json(&self, name: &str) -> Value {
        let entries = self.entries();
        let (_, bytes) =
            entries.iter().find(|(entry, _)| entry == name).unwrap_or_else(|| panic!("no {name}"));
        serde_json::from_slice(bytes).unwrap()
    }

    /// The names of its tables, in the archive's order.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        let entries = self.entries();
        let names = entries.iter().filter_map(|(name, _)| name.strip_prefix("tables/"));
        names.map(|name| name.trim_end_matches(".json").to_owned()).collect()
    }
}
