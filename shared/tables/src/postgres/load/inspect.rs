//! Reasons against a restore, as far as the catalogue shows them, and the restore's effects on others.
//!
//! Nothing is written. The inspection is repeated when a stage begins, because that can be hours after the plan.

mod columns;
mod database;
mod facts;
mod functions;
mod migrations;
mod schemas;
mod surroundings;
mod tables;

use sqlx::postgres::PgConnection;

use super::pair::{Place, TablePair, pairs};
use super::registry;
use super::replica::{self, Replica};
use super::session::begin;
use super::statements::{Failure, Session};
use super::{create, fingerprint, place};
use crate::error::{Error, Result};
use crate::load::{Inspection, Mode, Pause, Refusal, TargetOptions, Wanted};
use facts::Facts;

/// Checks whether a restore that was planned with `fingerprint` can proceed.
///
/// # Errors
/// [`Error::Stale`] and [`Error::Refused`].
pub(super) fn check(found: &Inspection, source: &str, fingerprint: &str) -> Result<()> {
    let name = source.to_owned();
    if found.fingerprint != fingerprint {
        return Err(Error::Stale { name });
    }
    match found.refusals.clone() {
        none if none.is_empty() => Ok(()),
        refusals => Err(Error::Refused { name, refusals }),
    }
}

/// Inspects in a separate transaction.
pub(super) async fn inspect(
    connection: &mut PgConnection,
    options: &TargetOptions,
    wanted: &Wanted,
) -> Result<Inspection> {
    let source = &options.read.source;
    begin(connection, source, options.lock).await?;
    let found = match pairs(connection, options, wanted, &Place::Temporary).await {
        Ok(pairs) => {
            let mut session = Session::new(connection, source);
            let found = look(&mut session, options, wanted, &pairs).await;
            found.map_err(|failure| failure.of(source))
        }
        Err(error) => Err(error),
    };
    Session::new(connection, source).roll_back().await;
    found
}

async fn look(
    session: &mut Session<'_>,
    options: &TargetOptions,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
) -> Result<Inspection, Failure> {
    let there: Vec<&TablePair> = pairs.iter().flatten().collect();
    let facts = Facts::load(session, &there).await?;
    let replica = replica::of(session).await?;
    let around = surroundings::look(session, wanted, &there, &replica).await?;
    let database = database::look(session, wanted, &replica.role).await?;
    let mut refusals = others(session).await?;
    refusals.extend(database.refusals);
    refusals.extend(migrations::refusal(session, options, wanted).await?);
    refusals.extend(tables::refusals(options, wanted, pairs, &facts, &replica.role));
    refusals.extend(schemas::refusals(session, options, wanted, pairs, &facts, &replica.role).await?);
    match functions::refusals(session, &there).await? {
        none if none.is_empty() => refusals.extend(tables::not_empty(session, wanted, pairs).await?),
        closed => refusals.extend(closed),
    }
    refusals.extend(columns::refusals(pairs));
    refusals.extend(database::missing_types(session, wanted, pairs).await?);
    refusals.extend(around.refusals);
    let mut warnings = around.warnings;
    if wanted.create_tables && wanted.mode == Mode::IntoEmpty {
        refusals.extend(create::refusals(options, wanted, pairs));
        let left_out = create::left_out(&mut *session.connection, options, wanted).await?;
        warnings.extend(left_out);
    }
    warnings.extend(database.warnings);
    Ok(Inspection {
        place: place::look(session).await?,
        engine: database.engine,
        fingerprint: fingerprint::of(session, &there).await?,
        refusals,
        warnings,
        creates: creates(wanted, pairs),
        pause: pause(wanted, &replica, around.drops_keys),
        needed_bytes: facts.needed_bytes(wanted, pairs),
    })
}

/// Refuses other restores: only one can run at a time.
async fn others(session: &mut Session<'_>) -> Result<Vec<Refusal>, Failure> {
    if !database::may_read_registry(session).await? {
        return Ok(Vec::new());
    }
    let noted = registry::list_in(session).await?;
    let staged = noted.into_iter().filter(registry::Noted::is_staged);
    Ok(staged.map(|noted| Refusal::OtherRestore { id: noted.id }).collect())
}

fn creates(wanted: &Wanted, pairs: &[Option<TablePair>]) -> Vec<String> {
    if !wanted.create_tables || wanted.mode != Mode::IntoEmpty {
        return Vec::new();
    }
    let both = wanted.tables.iter().zip(pairs);
    both.filter(|(_, pair)| pair.is_none()).map(|(table, _)| table.schema.name.clone()).collect()
}

/// For empty tables, every session that uses them waits, because the indexes are built meanwhile; but there are no rows to
/// read.
fn pause(wanted: &Wanted, replica: &Replica, drops_keys: bool) -> Pause {
    let readers = wanted.mode != Mode::IntoEmpty && !replica.is_allowed && drops_keys;
    let remedy = if readers { replica.grant.clone() } else { String::new() };
    Pause { readers, remedy }
}
