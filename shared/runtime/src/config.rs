//! Configuration: a TOML file, then `STRONGROOM_<SECTION>__<KEY>` from the environment.
//!
//! One file can serve every process. [`SECTIONS`] lists all sections: each process deserialises the sections that it
//! reads into its own types, skips the others, and refuses any other name. Section types refuse unknown fields
//! (`deny_unknown_fields`), so a typo never silently yields the default.

use std::collections::BTreeMap;
use std::path::Path;

use ::config::{Config, Environment, File, FileFormat};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};

/// The sections of a configuration file, for every process.
pub const SECTIONS: [&str; 10] =
    ["admin", "app", "backup", "destinations", "drill", "log", "seal", "sources", "telemetry", "vault"];

/// Reads `file` (nothing if `None`) and the process's environment into `T`, whose fields are sections.
///
/// # Errors
/// [`Error::Config`] naming the file and the section or field.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T> {
    load_with(
        file,
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// [`load`] with a given environment.
///
/// # Errors
/// [`Error::Config`] naming the file and the section or field.
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
    let named = |problem: String| match file {
        Some(path) => Error::Config(format!("{}: {problem}", path.display())),
        None => Error::Config(problem),
    };
    let config = builder.add_source(overrides(environment)).build();
    let config = config.map_err(|error| named(error.to_string()))?;
    check_sections(&config).map_err(named)?;
    config.try_deserialize().map_err(|error| named(dotted(&error.to_string())))
}

/// Adds the dot that the config crate omits after a list index, as in `sources[0]optional`.
fn dotted(problem: &str) -> String {
    let mut text = String::with_capacity(problem.len() + 4);
    let mut last = ' ';
    for next in problem.chars() {
        if last == ']' && next.is_ascii_lowercase() {
            text.push('.');
        }
        text.push(next);
        last = next;
    }
    text
}

/// A variable without a section (`STRONGROOM_TOKEN`, `STRONGROOM_ROOT_KEY`) is not configuration.
fn overrides(environment: impl Iterator<Item = (String, String)>) -> Environment {
    Environment::with_prefix("STRONGROOM")
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .source(Some(environment.filter(|(key, _)| key.contains("__")).collect()))
}

fn check_sections(config: &Config) -> Result<(), String> {
    let sections: BTreeMap<String, IgnoredAny> =
        config.clone().try_deserialize().map_err(|error| error.to_string())?;
    match sections.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown field `{name}`; the sections are {}", SECTIONS.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write as _;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
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
        assert_eq!(dotted("for key `sources[0]optional[1].name`"), "for key `sources[0].optional[1].name`");
    }

    #[test]
    fn sections_of_other_processes_are_skipped_and_unknown_ones_refused() {
        let others =
            "[vault]\nlisten = 'a'\n[log]\nlevel = 'info'\n[[sources]]\nname = 's'\n[app]\n[seal]\n[backup]";
        assert_eq!(sample(others, &[]).unwrap().vault.listen, "a");
        let vault = "[vault]\nlisten = 'a'\n";
        let error = sample(&format!("{vault}[vualt]"), &[]).unwrap_err().to_string();
        assert!(error.contains("unknown field `vualt`"), "{error}");
        let error = sample(vault, &[("STRONGROOM_VUALT__LISTEN", "b")]).unwrap_err().to_string();
        assert!(error.contains("unknown field `vualt`"), "{error}");
        let error = sample(&format!("limit = 3\n{vault}"), &[]).unwrap_err().to_string();
        assert!(error.contains("unknown field `limit`"), "{error}");
    }
}
