//! Configuration: a TOML file, then `STRONGROOM_<SECTION>__<KEY>` from the environment. Unknown fields are
//! refused by the target types (`deny_unknown_fields`), so a typo never silently means the default.

use std::path::Path;

use ::config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads `file` (nothing when `None`) and the process's environment into `T`.
///
/// # Errors
/// [`Error::Config`] naming the file and the field.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T> {
    load_with(
        file,
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// The same with a given environment.
///
/// # Errors
/// [`Error::Config`] naming the file and the field.
pub fn load_with<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T> {
    let mut builder = Config::builder();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    // Without a section (`STRONGROOM_TOKEN`, `STRONGROOM_ROOT_KEY`) a variable is not configuration.
    let overrides = environment.filter(|(key, _)| key.contains("__")).collect();
    let environment = Environment::with_prefix("STRONGROOM")
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .source(Some(overrides));
    let named = |error: ::config::ConfigError| match file {
        Some(path) => Error::Config(format!("{}: {error}", path.display())),
        None => Error::Config(error.to_string()),
    };
    builder.add_source(environment).build().map_err(named)?.try_deserialize().map_err(named)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        vault: Section,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Section {
        listen: String,
        limit: Option<u32>,
    }

    fn sample(text: &str, environment: &[(&str, &str)]) -> Result<Sample> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let owned = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        load_with(Some(file.path()), owned)
    }

    #[test]
    fn the_environment_wins_and_other_variables_are_left_alone() {
        let environment = [("STRONGROOM_VAULT__LIMIT", "7"), ("STRONGROOM_TOKEN", "x"), ("HOME", "/")];
        let sample = sample("[vault]\nlisten = 'a'\nlimit = 3", &environment).unwrap();
        assert_eq!((sample.vault.listen.as_str(), sample.vault.limit), ("a", Some(7)));
    }

    #[test]
    fn a_typo_is_refused_by_name() {
        let error = sample("[vault]\nlisten = 'a'\nlimt = 3", &[]).unwrap_err().to_string();
        assert!(error.contains("limt"), "{error}");
    }
}
