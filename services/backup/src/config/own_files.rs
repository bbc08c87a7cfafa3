//! Keeps files of this service out of its archives.
//!
//! A directory that is backed up and contains the service's token would put it into every archive; if it contains
//! stored backups, each archive would contain the earlier ones.

use std::path::{Path, PathBuf};

use super::SourceConfig;
use crate::error::{Error, Result};

/// Refuses a `files` source whose directory contains one of `own`: an option, and the path that it names. Links are
/// resolved, as far as the paths exist.
///
/// # Errors
/// [`Error::Config`] with the source, the path and the option.
pub fn keep_out_of_archives(
    sources: &[SourceConfig],
    own: impl IntoIterator<Item = (&'static str, PathBuf)>,
) -> Result<()> {
    let folders = sources.iter().filter_map(|source| Some((&source.name, resolved(source.path.as_deref()?))));
    let folders: Vec<_> = folders.collect();
    for (option, path) in own {
        let real = resolved(&path);
        if let Some((name, folder)) = folders.iter().find(|(_, folder)| real.starts_with(folder)) {
            return Err(Error::Config(format!(
                "source {name}: its directory {} contains {} ({option}), which would be in every archive: choose a directory \
                 without it, or move it",
                folder.display(),
                path.display()
            )));
        }
    }
    Ok(())
}

/// The path without links: of its longest part that exists, and the rest as it is written.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = absolute.ancestors().find_map(|above| {
        let rest = absolute.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    real.unwrap_or(absolute)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refusal(folder: &Path, own: &Path) -> Option<String> {
        let source = format!("name = 'all'\nkind = 'files'\npath = '{}'", folder.display());
        let sources = [toml::from_str(&source).unwrap()];
        let own = [("[backup] token_file", own.to_owned())];
        keep_out_of_archives(&sources, own).err().map(|error| error.to_string())
    }

    #[test]
    fn a_directory_with_a_file_of_ours_is_refused_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("data/deep")).unwrap();
        std::os::unix::fs::symlink(at("data"), at("link")).unwrap();
        for (source, own) in [
            ("data", "data/token"),
            ("data", "data"),
            ("data", "link/deep/token"),
            ("link", "data/deep/missing/token"),
            ("data/../data/", "data/deep"),
        ] {
            let refused = refusal(&at(source), &at(own)).unwrap();
            assert!(refused.contains("source all") && refused.contains("[backup] token_file"), "{refused}");
        }
        for (source, own) in [("data/deep", "data/token"), ("data", "database/token"), ("missing", "data")] {
            assert_eq!(refusal(&at(source), &at(own)), None, "{source} {own}");
        }
    }
}
