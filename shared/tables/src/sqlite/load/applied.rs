//! Whether an applied restore can be rolled back, according to its marker and those of later restores.

use sqlx::sqlite::SqliteConnection;

use super::live::Live;
use super::markers::{self, Marked, Marker};
use crate::error::{Error, Result};

/// The restore's marker; `None` if it is not applied.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    source: &str,
    restore: &str,
) -> Result<Option<Marker>> {
    let markers = markers::read(connection).await;
    let markers = markers.map_err(|error| Error::database(source, "looking for a restore", &error))?;
    let marker = markers.into_iter().find(|marker| marker.id == restore && marker.is_applied);
    match marker {
        Some(marker) if !marker.is_readable => Err(unreadable(source, &marker)),
        marker => Ok(marker),
    }
}

/// Content that cannot be parsed is not guessed: a newer version may have written it.
fn unreadable(source: &str, marker: &Marker) -> Error {
    let (id, table) = (&marker.id, markers::TABLE);
    let what = format!(
        "record of the restore {id} in {table} that this version can read: roll back with the version of \
         Strongroom that applied the restore, or restore the safety backup"
    );
    Error::missing(source, what)
}

/// A newer restore must be rolled back first, because the rows that it kept belong to this one.
pub(super) async fn check_order(connection: &mut SqliteConnection, source: &str, own: &Marker) -> Result<()> {
    let markers = markers::read(connection).await;
    let markers = markers.map_err(|error| Error::database(source, "looking for restores", &error))?;
    if !markers.iter().any(|marker| marker.id == own.id && marker.is_applied) {
        let (name, restore) = (source.to_owned(), own.id.clone());
        return Err(Error::NotApplied { name, restore });
    }
    // A marker that cannot be parsed may concern any table.
    let is_unreadable =
        |marker: &Marker| !marker.is_readable && marker.is_applied && marker.order >= own.order;
    if let Some(marker) = markers.iter().find(|marker| is_unreadable(marker)) {
        return Err(unreadable(source, marker));
    }
    let shares = |marker: &Marker| {
        let ours = |table: &Marked| own.tables.iter().any(|other| other.live == table.live);
        marker.tables.iter().any(ours)
    };
    let newer = markers.iter().find(|marker| marker.order > own.order && shares(marker));
    newer
        .map_or(Ok(()), |marker| Err(Error::Superseded { name: source.to_owned(), newer: marker.id.clone() }))
}

/// The kept rows fit the tables only with their earlier columns.
pub(super) fn check_columns(source: &str, own: &Marker, live: &Live) -> Result<()> {
    let is_same = |table: &Marked| {
        let Some(live) = live.table(&table.live) else { return false };
        let stored = live.schema.columns.iter().filter(|column| column.generated.is_none());
        let mut now: Vec<&String> = stored.map(|column| &column.name).collect();
        let mut then: Vec<&String> = table.columns.iter().chain(&table.extra).collect();
        now.sort();
        then.sort();
        now == then
    };
    let all = own.tables.iter().all(is_same);
    if all { Ok(()) } else { Err(Error::Stale { name: source.to_owned() }) }
}
