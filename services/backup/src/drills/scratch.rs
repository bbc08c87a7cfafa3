//! The places for scratch databases, and the proof that one is not a live database.

use strongroom_store::{DatabaseUrl, Engine};
use strongroom_tables::scratch::{PREFIX, Scratch};
use uuid::Uuid;

use crate::config::DrillConfig;
use crate::error::{DrillError, Error, Result};
use crate::secret_files;
use crate::sources::Sources;

/// The configured places.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScratchPlaces {
    server: Option<DatabaseUrl>,
    /// The template for databases on the server.
    template: Option<String>,
    folder: Option<DatabaseUrl>,
}

impl ScratchPlaces {
    /// # Errors
    /// [`Error::Config`] for an invalid server or folder, [`Error::Runtime`] for a file that cannot be read.
    pub(crate) fn create(config: &DrillConfig) -> Result<Self> {
        let text = match (&config.scratch_url_file, &config.scratch_url) {
            (Some(file), _) => Some(secret_files::database_url(file)?),
            (None, Some(url)) => Some(url.expose().to_owned()),
            (None, None) => None,
        };
        let wrong = |problem: String| Error::Config(format!("[drill] {problem}"));
        let server = text.map(|text| DatabaseUrl::parse(&text)).transpose();
        let server = server.map_err(|error| wrong(format!("scratch_url: {error}")))?;
        if server.as_ref().is_some_and(|url| !matches!(url.engine(), Engine::Postgres(_))) {
            return Err(wrong(
                "scratch_url is for PostgreSQL; scratch databases of SQLite are in scratch_dir".into(),
            ));
        }
        let folder = config.scratch_dir.as_ref().map(DatabaseUrl::sqlite_file).transpose();
        let folder = folder.map_err(|error| wrong(format!("scratch_dir: {error}")))?;
        Ok(Self { server, template: config.scratch_template.clone(), folder })
    }

    /// Refuses sources that have no place.
    ///
    /// # Errors
    /// [`DrillError::NoScratch`].
    pub(super) fn check(&self, sources: &Sources) -> Result<()> {
        let without = sources.all().iter().find(|source| self.lacks(source.kind()));
        without.map_or(Ok(()), |source| Err(no_place(source.name(), source.kind()).into()))
    }

    /// Whether it is a kind of database that has no place.
    pub(super) fn lacks(&self, kind: &str) -> bool {
        matches!(kind, "postgres" | "sqlite") && self.of(kind).is_none()
    }

    /// The place for databases of this kind.
    pub(super) fn of(&self, kind: &str) -> Option<&DatabaseUrl> {
        match kind {
            "postgres" => self.server.as_ref(),
            "sqlite" => self.folder.as_ref(),
            _ => None,
        }
    }

    /// All configured places.
    pub(super) fn all(&self) -> impl Iterator<Item = &DatabaseUrl> {
        [&self.server, &self.folder].into_iter().flatten()
    }

    /// The template for a database of this kind, if there is one.
    pub(super) fn template(&self, kind: &str) -> Option<&str> {
        self.template.as_deref().filter(|_| kind == "postgres")
    }
}

/// The error for a source of this kind.
pub(super) fn no_place(source: &str, kind: &str) -> DrillError {
    let (kind, key) =
        if kind == "postgres" { ("PostgreSQL", "scratch_url") } else { ("SQLite", "scratch_dir") };
    DrillError::NoScratch { source_name: source.to_owned(), kind, key }
}

/// Name of a drill's scratch database: it has one at a time.
pub(super) fn name_of(drill: &str) -> String {
    let digits: String = drill.chars().filter(char::is_ascii_hexdigit).collect();
    format!("{PREFIX}{digits}")
}

/// Refuses a scratch database that a source sees as its own.
///
/// # Errors
/// [`strongroom_tables::Error::NotScratch`], and errors of a source that cannot be asked.
pub(super) async fn check_is_nobodys(scratch: &Scratch, sources: &Sources, kind: &str) -> Result<()> {
    let marker = format!("_strongroom_drill_{}", Uuid::new_v4().simple());
    scratch.mark(&marker).await?;
    let seen = seen_through(sources, kind, &marker).await;
    scratch.unmark(&marker).await?;
    match seen? {
        None => Ok(()),
        Some(source) => {
            let problem = format!("it is the live database of source {source}");
            Err(strongroom_tables::Error::NotScratch { url: scratch.url().to_string(), problem }.into())
        }
    }
}

/// Checks only sources of this kind, because no other one can be such a database.
async fn seen_through(sources: &Sources, kind: &str, marker: &str) -> Result<Option<String>> {
    for source in sources.all().iter().filter(|source| source.kind() == kind) {
        if let Some(database) = source.database()
            && database.has_table(marker).await?
        {
            return Ok(Some(source.name().to_owned()));
        }
    }
    Ok(None)
}
