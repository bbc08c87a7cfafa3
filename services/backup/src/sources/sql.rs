//! Databases: exclusions by the configuration, and rows selected by a time limit.

mod reencrypting;

use bytes::Bytes;
use jiff::Timestamp;
use strongroom_archive::manifest::{Skipped, Snapshot as SnapshotKind, SourceRecord};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{AadTemplate, EncryptedColumn};
use strongroom_store::{DatabaseUrl, Engine};
use strongroom_tables::load::{Target, TargetOptions, place_of};
use strongroom_tables::scratch::is_marked;
use strongroom_tables::{
    Block, MigrationsTable, Outside, Since, Snapshot, SnapshotOptions, database_bytes, list_tables,
    open_snapshot,
};
use tokio::sync::mpsc;

use super::listing::{Choice, ListedTable, Listing};
use crate::config::{self, OptionalGroup, SourceConfig};
use crate::error::{Error, RestoreError, Result};

/// A SQLite or PostgreSQL database.
pub(crate) struct SqlSource {
    config: SourceConfig,
    url: DatabaseUrl,
    /// The same database, with the role that owns its tables.
    restore_url: Option<DatabaseUrl>,
}

impl SqlSource {
    /// Creates the source from its configuration and its URLs, without opening anything.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that does not match the kind, including the URL for restores.
    pub(crate) fn create(config: SourceConfig, url: &str, restore_url: Option<&str>) -> Result<Self> {
        let url = Self::parse(&config, "url", url)?;
        let restore_url = restore_url.map(|url| Self::parse(&config, "restore_url_file", url)).transpose()?;
        Ok(Self { config, url, restore_url })
    }

    fn parse(config: &SourceConfig, option: &str, url: &str) -> Result<DatabaseUrl> {
        let wrong = |problem: String| Error::Config(format!("source {}: {problem}", config.name));
        let url = DatabaseUrl::parse(url).map_err(|error| wrong(error.to_string()))?;
        let found = match url.engine() {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        };
        if found != config.kind.name() {
            return Err(wrong(format!(
                "its kind is {}, but its {option} is for {found}",
                config.kind.name()
            )));
        }
        Ok(url)
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn kind(&self) -> &'static str {
        self.config.kind.name()
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.config.table_prefix.as_deref()
    }

    pub(super) fn groups(&self) -> Vec<String> {
        self.config.optional.iter().map(|group| group.name.clone()).collect()
    }

    /// The tables of its groups, whether they exist or not.
    pub(super) fn optional_tables(&self) -> impl Iterator<Item = &String> {
        self.config.optional.iter().flat_map(|group| &group.tables)
    }

    /// Its current tables. An excluded table may have been dropped since the service started: only [`Self::check`]
    /// requires it.
    pub(super) async fn list(&self) -> Result<Listing> {
        Ok(self.listing(&list_tables(&self.url, &self.everything()).await?))
    }

    /// Checks that it answers.
    pub(super) async fn probe(&self) -> Result<()> {
        let nothing = SnapshotOptions { only: Some(Vec::new()), ..self.everything() };
        list_tables(&self.url, &nothing).await?;
        Ok(())
    }

    /// Size of its tables in bytes.
    pub(super) async fn bytes(&self) -> Result<u64> {
        Ok(database_bytes(&self.url, &self.config.name).await?)
    }

    pub(super) async fn check(&self) -> Result<Listing> {
        let options = SnapshotOptions { exclude_must_exist: true, ..self.everything() };
        let tables = list_tables(&self.url, &options).await?;
        self.check_named(&tables)?;
        Ok(self.listing(&tables))
    }

    pub(super) async fn open(&self, choice: &Choice) -> Result<SqlSnapshot> {
        let mut options = self.everything();
        let mut since = Vec::new();
        for group in &self.config.optional {
            if choice.includes(&group.name) {
                since.extend(time_limits(group, choice.since));
            } else {
                options.exclude.extend_from_slice(&group.tables);
            }
        }
        options.only.clone_from(&choice.only);
        let snapshot = open_snapshot(&self.url, &options).await?;
        if choice.only.is_none() {
            self.check_groups(choice, snapshot.tables())?;
        }
        let encrypted = self.encrypted(snapshot.tables())?;
        let record = self.record(&snapshot)?;
        let listing = self.listing_beside(choice, snapshot.tables());
        Ok(SqlSnapshot { snapshot, record, listing, since, encrypted, counted: Vec::new() })
    }

    /// Connects to it for a restore.
    ///
    /// # Errors
    /// [`RestoreError::NoRestoreUrl`], and the database's errors.
    pub(crate) async fn open_target(&self) -> Result<Target> {
        Ok(Target::open(self.target_url()?, TargetOptions::new(self.everything())).await?)
    }

    /// The URL of the role that owns its tables.
    fn target_url(&self) -> Result<&DatabaseUrl> {
        let url = self.restore_url.as_ref();
        Ok(url.ok_or_else(|| RestoreError::NoRestoreUrl(self.config.name.clone()))?)
    }

    /// Checks that a restore would change the database that is backed up.
    ///
    /// # Errors
    /// [`RestoreError::OtherDatabase`], and the database's errors.
    pub(crate) async fn check_same(&self) -> Result<()> {
        let options = TargetOptions::new(self.everything());
        if place_of(&self.url, &options).await? == place_of(self.target_url()?, &options).await? {
            return Ok(());
        }
        Err(RestoreError::OtherDatabase(self.config.name.clone()).into())
    }

    /// Whether a table of this name exists under either of its URLs, whoever may read it.
    ///
    /// # Errors
    /// The database's errors.
    pub(crate) async fn has_table(&self, name: &str) -> Result<bool> {
        let urls = std::iter::once(&self.url).chain(&self.restore_url);
        for url in urls {
            if is_marked(url, &self.config.name, name).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Its current tables.
    ///
    /// # Errors
    /// The database's errors.
    pub(crate) async fn schemas(&self) -> Result<Vec<TableSchema>> {
        Ok(list_tables(&self.url, &self.everything()).await?)
    }

    fn everything(&self) -> SnapshotOptions {
        let config = &self.config;
        SnapshotOptions {
            source: config.name.clone(),
            exclude: config.exclude.clone(),
            exclude_must_exist: false,
            only: None,
            temp_copy: config.temp_copy,
            migrations: config
                .migrations_table
                .clone()
                .map(|table| MigrationsTable { table, column: config.migrations_column.clone() }),
            schemas: config.schemas.clone(),
        }
    }

    fn listing(&self, tables: &[TableSchema]) -> Listing {
        let mut listed = Vec::with_capacity(tables.len());
        for table in tables {
            let group = self.config.optional.iter().find(|group| group.tables.contains(&table.name));
            let group = group.map(|group| group.name.clone()).unwrap_or_default();
            listed.push(ListedTable { name: table.name.clone(), group, read_only: false });
        }
        Listing { tables: listed }
    }

    /// The listing of the chosen `tables`, and, for groups that were not chosen, of the tables in the configuration.
    fn listing_beside(&self, choice: &Choice, tables: &[TableSchema]) -> Listing {
        let mut listing = self.listing(tables);
        for group in self.config.optional.iter().filter(|group| !choice.includes(&group.name)) {
            let table = |name: &String| ListedTable {
                name: name.clone(),
                group: group.name.clone(),
                read_only: false,
            };
            listing.tables.extend(group.tables.iter().map(table));
        }
        listing
    }

    /// Columns named in the configuration must exist, otherwise they were mistyped. A table of an optional group may be
    /// created later, by a restore or a migration: a service that refused to start without it could not restore it.
    fn check_named(&self, tables: &[TableSchema]) -> Result<()> {
        let name = &self.config.name;
        if tables.is_empty() {
            tracing::warn!(source = %name, "it has no tables, so its configuration cannot be checked");
            return Ok(());
        }
        for group in &self.config.optional {
            if let Some(table) = missing(group, tables) {
                // A restore may still have to create it, and needs a running service. Exports of the group fail.
                let group = &group.name;
                tracing::warn!(source = %name, table, group, "a table of an optional group is missing; no export can include the group");
            }
            if let Some(column) = missing_time_column(group, tables) {
                let group = &group.name;
                return Err(Error::Config(format!(
                    "source {name} has no column {column:?}, which its optional group {group:?} names as time_column; \
                     tables without it belong in a group of their own"
                )));
            }
        }
        for encrypted in &self.config.encrypted_columns {
            let table =
                encrypted.parts().and_then(|(table, _)| tables.iter().find(|other| other.name == table));
            let missing = match table {
                Some(table) => missing_column(encrypted, table)?,
                None => Some(encrypted.column.clone()),
            };
            if let Some(column) = missing {
                return Err(Error::Config(format!(
                    "source {name} has no column {column:?}, which its encrypted_columns name"
                )));
            }
        }
        Ok(())
    }

    /// The encrypted columns of `tables`, as manifests declare them.
    fn encrypted(&self, tables: &[TableSchema]) -> Result<Vec<EncryptedColumn>> {
        let mut declared = Vec::new();
        for encrypted in &self.config.encrypted_columns {
            let Some((name, column)) = encrypted.parts() else { continue };
            let Some(table) = tables.iter().find(|table| table.name == name) else { continue };
            if let Some(column) = missing_column(encrypted, table)? {
                return Err(Error::ColumnMissing { name: self.config.name.clone(), column });
            }
            declared.push(EncryptedColumn {
                table: name.to_owned(),
                column: column.to_owned(),
                key: encrypted.key.clone(),
                aad: encrypted.aad.clone(),
            });
        }
        Ok(declared)
    }

    fn check_groups(&self, choice: &Choice, tables: &[TableSchema]) -> Result<()> {
        for group in self.config.optional.iter().filter(|group| choice.includes(&group.name)) {
            if let Some(table) = missing(group, tables) {
                let (name, group) = (self.config.name.clone(), group.name.clone());
                return Err(Error::TableMissing { name, table: table.to_owned(), group });
            }
        }
        Ok(())
    }

    fn record(&self, snapshot: &Snapshot) -> Result<SourceRecord> {
        let info = snapshot.info();
        let kind = match info.kind {
            "repeatable-read" => SnapshotKind::RepeatableRead,
            "read-transaction" => SnapshotKind::ReadTransaction,
            "vacuum-copy" => SnapshotKind::VacuumCopy,
            other => return Err(Error::Defect(format!("{other:?} is not a kind of snapshot"))),
        };
        let mut skipped = Vec::with_capacity(info.skipped.len());
        for left_out in &info.skipped {
            skipped.push(Skipped { name: left_out.name.clone(), reason: left_out.reason.clone() });
        }
        let outside = snapshot.outside();
        Ok(SourceRecord {
            encoding: Some(outside.encoding.clone()),
            extensions: outside.extensions.clone(),
            migrations: outside.migrations.clone(),
            user_version: outside.user_version,
            application_id: outside.application_id,
            sequences: outside.sequences.clone(),
            skipped,
            ..SourceRecord::new(&self.config.name, self.config.kind.name(), &info.engine, kind)
        })
    }
}

/// The first missing column as `table.column`: the encrypted column itself, or one that the template of its additional
/// data names.
fn missing_column(encrypted: &config::EncryptedColumn, table: &TableSchema) -> Result<Option<String>> {
    let template = AadTemplate::parse(&encrypted.aad)?;
    let column = encrypted.parts().map(|(_, column)| column);
    let mut needed = column.into_iter().chain(template.columns());
    let missing = needed.find(|needed| !table.columns.iter().any(|other| other.name == *needed));
    Ok(missing.map(|missing| format!("{}.{missing}", table.name)))
}

fn missing<'a>(group: &'a OptionalGroup, tables: &[TableSchema]) -> Option<&'a str> {
    let exists = |name: &String| tables.iter().any(|table| table.name == *name);
    group.tables.iter().find(|name| !exists(name)).map(String::as_str)
}

/// The time column of the group as `table.column`, for the first table that lacks it.
fn missing_time_column(group: &OptionalGroup, tables: &[TableSchema]) -> Option<String> {
    let column = group.time_column.as_ref()?;
    let has = |table: &&TableSchema| table.columns.iter().any(|other| other.name == *column);
    let mut named = tables.iter().filter(|table| group.tables.contains(&table.name));
    named.find(|table| !has(table)).map(|table| format!("{}.{column}", table.name))
}

/// The group's tables, each with its time limit. None unless the request has a time and the group a time column.
fn time_limits(group: &OptionalGroup, since: Option<Timestamp>) -> Vec<(String, Since)> {
    let (Some(since), Some(column)) = (since, &group.time_column) else { return Vec::new() };
    let limit = Since { column: column.clone(), from: since.as_microsecond() };
    group.tables.iter().map(|table| (table.clone(), limit.clone())).collect()
}

/// The number of values of an encrypted column by key version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnCount {
    /// The column.
    pub(crate) column: EncryptedColumn,
    /// The name of its source.
    pub(crate) source: String,
    /// Each text that stands where a sealed value has its kid, with the number of rows that have it.
    pub(crate) kids: Vec<(String, u64)>,
}

/// An open database snapshot.
pub(crate) struct SqlSnapshot {
    snapshot: Snapshot,
    record: SourceRecord,
    listing: Listing,
    since: Vec<(String, Since)>,
    encrypted: Vec<EncryptedColumn>,
    counted: Vec<ColumnCount>,
}

impl SqlSnapshot {
    pub(super) fn record(&self) -> &SourceRecord {
        &self.record
    }

    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(super) fn tables(&self) -> &[TableSchema] {
        self.snapshot.tables()
    }

    pub(super) fn encrypted(&self) -> &[EncryptedColumn] {
        &self.encrypted
    }

    pub(super) fn counted(&self) -> &[ColumnCount] {
        &self.counted
    }

    /// The oldest time of a table's rows, if older ones are left out.
    pub(super) fn since(&self, table: &str) -> Option<Timestamp> {
        let (_, since) = self.since.iter().find(|(name, _)| name == table)?;
        Timestamp::from_microsecond(since.from).ok()
    }

    /// The database's contents other than rows of tables.
    pub(super) fn outside(&self) -> &Outside {
        self.snapshot.outside()
    }

    pub(super) async fn read_large_object(&mut self, oid: u32, pieces: &mpsc::Sender<Bytes>) -> Result<u64> {
        Ok(self.snapshot.read_large_object(oid, pieces).await?)
    }

    pub(super) async fn read_table(&mut self, table: &str, blocks: &mpsc::Sender<Block>) -> Result<u64> {
        let since = self.since.iter().find(|(name, _)| name == table).map(|(_, since)| since);
        let rows = self.snapshot.read_table(table, since, blocks).await?;
        self.count(table).await?;
        Ok(rows)
    }

    /// Counts the whole table, even if a time limit left rows out: a census covers the whole column.
    async fn count(&mut self, table: &str) -> Result<()> {
        for column in self.encrypted.iter().filter(|column| column.table == table) {
            let kids = self.snapshot.count_kids(table, &column.column).await?;
            let (column, source) = (column.clone(), self.record.name.clone());
            self.counted.push(ColumnCount { column, source, kids });
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        self.snapshot.close().await;
    }
}
