//! Taking an applied restore back, from the rows that it removed and the keys that it added.
//!
//! Where the live rows are no longer what the stage has, somebody has changed them since, and only the caller can say that
//! those changes may go. Then the rows that the restore left alone come back from the stage. Rows that were loaded into
//! empty tables have no stage: whether they have changed cannot be told, and taking them back empties the tables.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::{Column, Engine, TableSchema};

use super::difference::{self, Difference, of_alias};
use super::locks::{Limits, Locked, Work, hold};
use super::pair::{Place, TablePair, pairs};
use super::references;
use super::registry::{self, Applied, AppliedTable, Noted, OutsideTable};
use super::statements::{Failure, Session, literal};
use super::{keys, quiet, replica, violations};
use crate::error::{Error, Result};
use crate::load::{Mode, Purpose, RolledBack, TableChanges, TargetOptions, Wanted, WantedTable};
use crate::names::quoted;
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;

/// Takes the restore back and discards it.
pub(super) async fn roll_back(
    connection: &mut PgConnection,
    options: &TargetOptions,
    restore: &str,
    discard_changes: bool,
    lock: Duration,
) -> Result<RolledBack> {
    let source = options.read.source.clone();
    let applied = find(&registry::list(connection, &source).await?, &source, restore)?;
    let undo = Undo::of(connection, options, restore, applied, discard_changes).await?;
    let tables = undo.tables(connection).await.map_err(|failure| failure.of(&source))?;
    let back = Back { undo: &undo, locked: &tables };
    let (rolled_back, _) = hold(connection, &source, &tables, Limits { lock, pause: None }, &back).await?;
    Ok(rolled_back)
}

/// The part of a rollback that holds the locks.
struct Back<'a> {
    undo: &'a Undo<'a>,
    locked: &'a [Locked],
}

impl Work for Back<'_> {
    type Done = RolledBack;

    async fn run(&self, session: &mut Session<'_>) -> Result<RolledBack, Failure> {
        // Somebody else may have done it while this waited.
        find(&registry::list_in(session).await?, session.source, self.undo.restore)?;
        let done = self.undo.write(session, self.locked).await;
        done.map_err(|failure| violations::meant(failure, &self.undo.pairs, session.source))
    }
}

/// The restore's note, unless a newer restore of the same tables is in the way.
fn find(noted: &[Noted], source: &str, restore: &str) -> Result<Applied> {
    let own = noted.iter().find(|noted| noted.id == restore && !noted.is_staged());
    let Some(own) = own else {
        return Err(Error::NotApplied { name: source.to_owned(), restore: restore.to_owned() });
    };
    let applied = registry::parse(own, source)?;
    // The newest comes first, as that is the one to begin with.
    for newer in noted.iter().rev().filter(|noted| noted.applied > own.applied) {
        if registry::parse(newer, source)?.shares_a_table(&applied) {
            return Err(Error::Superseded { name: source.to_owned(), newer: newer.id.clone() });
        }
    }
    Ok(applied)
}

impl Applied {
    fn shares_a_table(&self, other: &Self) -> bool {
        let other: Vec<_> = other.table_names().collect();
        self.table_names().any(|name| other.contains(&name))
    }

    fn table_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.tables.iter().map(|one| (&*one.namespace, &*one.table));
        own.chain(self.outside.iter().map(|one| (&*one.namespace, &*one.table)))
    }
}

/// What is needed to take a restore back.
struct Undo<'a> {
    source: &'a str,
    restore: &'a str,
    applied: Applied,
    /// One for each of the applied tables.
    pairs: Vec<TablePair>,
    discard_changes: bool,
}

impl<'a> Undo<'a> {
    async fn of(
        connection: &mut PgConnection,
        options: &'a TargetOptions,
        restore: &'a str,
        applied: Applied,
        discard_changes: bool,
    ) -> Result<Self> {
        let source = &options.read.source;
        super::session::begin(connection, source, options.lock).await?;
        let place = Place::of(&Purpose::Restore(restore.to_owned()));
        let found = pairs(connection, options, &wanted(source, &applied), &place).await;
        Session::new(connection, source).roll_back().await;
        let mut pairs = Vec::with_capacity(applied.tables.len());
        for (table, pair) in applied.tables.iter().zip(found?) {
            let Some(pair) = pair else {
                return Err(Error::missing(source, format!("table {:?} any more", table.name)));
            };
            // As it was when the rows were noted, whatever keys the table has now.
            let (key, stage) = (table.key.clone(), table.stage.clone());
            pairs.push(TablePair {
                key,
                stage,
                undo: table.undo.clone(),
                added: table.added.clone(),
                ..pair
            });
        }
        Ok(Self { source, restore, applied, pairs, discard_changes })
    }

    /// Those to lock.
    async fn tables(&self, connection: &mut PgConnection) -> Result<Vec<Locked>, Failure> {
        let mut session = Session::new(connection, self.source);
        let mut tables: Vec<Locked> = self.pairs.iter().map(Locked::of).collect();
        for one in &self.applied.outside {
            let name = literal(&qualified(&one.namespace, &one.table));
            let sql = format!("SELECT coalesce(to_regclass({name})::oid::int8, 0)");
            let (oid,): (Oid,) = session.row("looking for a table", sql).await?;
            if oid == 0 {
                return Err(Error::missing(self.source, format!("table {:?} any more", one.name())).into());
            }
            tables.push(Locked {
                namespace: one.namespace.clone(),
                table: one.table.clone(),
                is_partitioned: one.is_partitioned,
                oid,
            });
        }
        // As for the swap: their foreign keys are dropped.
        if !replica::of(&mut session).await?.is_allowed {
            let oids: Vec<Oid> = tables.iter().map(|one| one.oid).collect();
            let keys = references::list(&mut session, &oids).await?;
            tables.extend(keys.iter().filter(|key| key.is_from_outside()).map(Locked::referencing));
        }
        Ok(tables)
    }

    /// Everything between the locks and the commit.
    async fn write(&self, session: &mut Session<'_>, locked: &[Locked]) -> Result<RolledBack, Failure> {
        let differences = difference::of(session, &self.pairs).await?;
        self.check_unchanged(session, &differences).await?;
        let replica = replica::of(session).await?;
        if replica.is_allowed {
            replica::take(session).await?;
        }
        let oids = self.changed(locked);
        let keys = references::list(session, &oids).await?;
        let dropped = keys.iter().filter(|key| key.is_to_member()).cloned().collect();
        let quiet = quiet::begin(session, replica.is_allowed, &oids, dropped).await?;
        let mut changes = Vec::with_capacity(differences.len());
        for difference in &differences {
            changes.push(self.before(session, difference).await?);
        }
        let each = || self.applied.tables.iter().zip(&differences);
        for ((table, difference), changes) in each().zip(&mut changes) {
            changes.deleted = self.run(session, difference, self.deletes(table, difference)).await?;
        }
        for ((table, difference), changes) in each().zip(&mut changes) {
            let inserts = self.inserts(session, table, difference).await?;
            changes.created = self.run(session, difference, inserts).await?;
        }
        for outside in &self.applied.outside {
            bring_back(session, outside).await?;
        }
        self.remove_large_objects(session).await?;
        let mut refusals = Vec::new();
        for key in keys.iter().filter(|key| key.is_valid && !key.is_temporal) {
            let rows = violations::count_dangling(session, key).await?;
            if rows > 0 {
                refusals.push(violations::refusal(key, &self.pairs, rows));
            }
        }
        if self.mode() == Mode::Replace {
            refusals.extend(keys::afterwards(session, &differences, |pair| &pair.undo).await?);
        }
        if !refusals.is_empty() {
            return Err(Error::Refused { name: self.source.to_owned(), refusals }.into());
        }
        quiet.end(session).await?;
        registry::discard_in(session, self.restore).await?;
        let names = self.applied.tables.iter().map(|table| table.name.clone());
        Ok(RolledBack { tables: names.zip(changes.into_iter().map(told)).collect() })
    }

    /// Tables whose rows change.
    fn changed(&self, locked: &[Locked]) -> Vec<Oid> {
        let is_outside = |one: &&Locked| {
            let names = self.applied.outside.iter().map(|table| (&table.namespace, &table.table));
            names.into_iter().any(|name| name == (&one.namespace, &one.table))
        };
        let own = self.pairs.iter().map(|pair| pair.oid);
        own.chain(locked.iter().filter(is_outside).map(|one| one.oid)).collect()
    }

    fn mode(&self) -> Mode {
        match self.applied.mode.as_str() {
            "merge" => Mode::Merge,
            "replace" => Mode::Replace,
            _ => Mode::IntoEmpty,
        }
    }

    async fn check_unchanged(
        &self,
        session: &mut Session<'_>,
        differences: &[Difference<'_>],
    ) -> Result<(), Failure> {
        if self.discard_changes {
            return Ok(());
        }
        let name = || self.source.to_owned();
        for difference in differences {
            let table = difference.pair.archive.name.clone();
            let Some(sql) = self.changed_since(difference) else {
                return Err(Error::NothingKept { name: name(), table }.into());
            };
            let rows = session.count(&format!("comparing table {table}"), sql).await?;
            if rows > 0 {
                return Err(Error::ChangedSince { name: name(), table, rows }.into());
            }
        }
        Ok(())
    }

    /// Counts the rows that are not as the restore left them. A merge has left all others alone.
    fn changed_since(&self, difference: &Difference<'_>) -> Option<String> {
        let (live, stage) = (&difference.live, &difference.pair.stage);
        match (self.mode(), difference.has_key()) {
            (Mode::IntoEmpty, _) => None,
            (Mode::Merge, _) => Some(format!(
                "SELECT count(*) FROM {} AS a JOIN {} ON {} LEFT JOIN {live} AS l ON {} WHERE {} OR {}",
                difference.pair.added,
                difference.staged(),
                difference.same_key("a", "s"),
                difference.same_key("l", "s"),
                difference.missing("l"),
                difference.differs("l")
            )),
            (Mode::Replace, true) => Some(format!(
                "SELECT (SELECT count(*) FROM {live} AS l LEFT JOIN {} ON {same} WHERE {} OR {})
                      + (SELECT count(*) FROM {stage} AS s WHERE NOT EXISTS (SELECT FROM {live} AS l WHERE {same}))",
                difference.staged(),
                difference.missing("s"),
                difference.differs("l"),
                same = difference.same_key("l", "s")
            )),
            (Mode::Replace, false) => Some(format!(
                "SELECT count(*) FROM {} AS l FULL JOIN {} AS s ON l.image = s.image AND l.nth = s.nth
                 WHERE l.nth IS NULL OR s.nth IS NULL",
                difference.counted(live),
                difference.counted(stage)
            )),
        }
    }

    /// Rows that only take another form, and rows that there are.
    async fn before(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
    ) -> Result<TableChanges, Failure> {
        let what = format!("comparing table {}", difference.pair.archive.name);
        let there = session.count(&what, format!("SELECT count(*) FROM {}", difference.live)).await?;
        let mut changes = TableChanges { kept: there, ..TableChanges::default() };
        if self.mode() == Mode::Replace && difference.has_key() {
            let (undo, added) = (&difference.pair.undo, &difference.pair.added);
            let same = difference.same_key("u", "a");
            let sql = format!("SELECT count(*) FROM {undo} AS u JOIN {added} AS a ON {same}");
            changes.changed = session.count(&what, sql).await?;
        }
        Ok(changes)
    }

    async fn run(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
        statements: Vec<String>,
    ) -> Result<u64, Failure> {
        let what = format!("taking back table {}", difference.pair.archive.name);
        let mut rows = 0;
        for sql in statements {
            rows += session.run(&what, sql).await?;
        }
        Ok(rows)
    }

    /// What the restore has added; and what was added or changed since, where that may go.
    fn deletes(&self, table: &AppliedTable, difference: &Difference<'_>) -> Vec<String> {
        let live = &difference.live;
        let (stage, added) = (&table.stage, &table.added);
        let of_restore =
            format!("DELETE FROM {live} AS l USING {added} AS a WHERE {}", difference.same_key("l", "a"));
        match (self.mode(), difference.has_key()) {
            (Mode::IntoEmpty, _) => vec![format!("DELETE FROM {live}")],
            (Mode::Replace, false) if table.is_changed || self.discard_changes => {
                vec![format!("DELETE FROM {live}")]
            }
            (Mode::Replace, false) => Vec::new(),
            (Mode::Replace, true) if self.discard_changes => {
                let same = difference.same_key("l", "s");
                let (staged, differs) = (difference.staged(), difference.differs("l"));
                vec![
                    of_restore,
                    format!(
                        "DELETE FROM {live} AS l WHERE NOT EXISTS (SELECT FROM {stage} AS s WHERE {same})"
                    ),
                    format!("DELETE FROM {live} AS l USING {staged} WHERE {same} AND {differs}"),
                ]
            }
            (Mode::Replace, true) | (Mode::Merge, _) => vec![of_restore],
        }
    }

    /// What the restore has removed; and what it has left alone and is gone since.
    async fn inserts(
        &self,
        session: &mut Session<'_>,
        table: &AppliedTable,
        difference: &Difference<'_>,
    ) -> Result<Vec<String>, Failure> {
        if self.mode() != Mode::Replace {
            return Ok(Vec::new());
        }
        let (stage, added, undo) = (&table.stage, &table.added, &table.undo);
        let staged = of_alias(&difference.columns, "s").join(", ");
        let from_stage =
            format!("{} SELECT {staged} FROM {stage} AS s", difference.into(&difference.columns));
        let has_undo = table.is_changed || difference.has_key();
        if !has_undo {
            return Ok(if self.discard_changes { vec![from_stage] } else { Vec::new() });
        }
        let kept = stored(session, undo, &table.namespace, &table.table).await?;
        let values = of_alias(&kept, "u").join(", ");
        let mut inserts = vec![format!("{} SELECT {values} FROM {undo} AS u", difference.into(&kept))];
        if self.discard_changes && difference.has_key() {
            inserts.push(format!(
                "{from_stage} WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {})
                     AND NOT EXISTS (SELECT FROM {added} AS a WHERE {})",
                difference.live,
                difference.same_key("l", "s"),
                difference.same_key("a", "s")
            ));
        }
        Ok(inserts)
    }

    async fn remove_large_objects(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        for oid in &self.applied.large_objects {
            let sql = format!("SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = {oid}");
            session.run("removing a large object", sql).await?;
        }
        Ok(())
    }
}

/// A row that went and came under one key has changed.
fn told(counted: TableChanges) -> TableChanges {
    TableChanges {
        created: counted.created.saturating_sub(counted.changed),
        deleted: counted.deleted.saturating_sub(counted.changed),
        kept: counted.kept.saturating_sub(counted.deleted),
        ..counted
    }
}

/// Columns of a kept table that the live one still has and does not compute, quoted.
async fn stored(
    session: &mut Session<'_>,
    kept: &str,
    namespace: &str,
    table: &str,
) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT a.attname::text FROM pg_attribute a JOIN pg_attribute k ON k.attname = a.attname
         WHERE a.attrelid = {}::regclass AND k.attrelid = {}::regclass AND a.attnum > 0 AND k.attnum > 0
           AND NOT a.attisdropped AND NOT k.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
        literal(&qualified(namespace, table)),
        literal(kept)
    );
    let names: Vec<(String,)> = session.rows("reading the columns", sql).await?;
    Ok(names.into_iter().map(|(name,)| quoted(&name)).collect())
}

/// Rows outside of the restored tables: those that are gone come back, and in the others the columns that foreign keys
/// have set.
async fn bring_back(session: &mut Session<'_>, outside: &OutsideTable) -> Result<(), Failure> {
    let what = format!("taking back table {}", outside.name());
    let (undo, live) = (&outside.undo, outside.rows());
    let mut sql = String::new();
    let same = outside.same_row("u", "f");
    if let (Some(same), false) = (&same, outside.sets.is_empty()) {
        let sets: Vec<String> =
            outside.sets.iter().map(|column| format!("{0} = u.{0}", quoted(column))).collect();
        sql.push_str(&format!("UPDATE {live} AS f SET {} FROM {undo} AS u WHERE {same};\n", sets.join(", ")));
    }
    let columns = stored(session, undo, &outside.namespace, &outside.table).await?;
    let (list, values) = (columns.join(", "), of_alias(&columns, "u").join(", "));
    let table = qualified(&outside.namespace, &outside.table);
    sql.push_str(&format!(
        "INSERT INTO {table} ({list}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {undo} AS u"
    ));
    if let Some(same) = same {
        sql.push_str(&format!(" WHERE NOT EXISTS (SELECT FROM {live} AS f WHERE {same})"));
    }
    session.run(&what, sql).await.map(drop)
}

/// The restored tables as a wish, so that they are found as they were for the restore.
fn wanted(source: &str, applied: &Applied) -> Wanted {
    let table = |table: &AppliedTable| {
        let columns = table.columns.iter().map(|name| Column { name: name.clone(), ..Column::default() });
        let schema = TableSchema {
            name: table.name.clone(),
            namespace: table.namespace.clone(),
            columns: columns.collect(),
            ..TableSchema::empty(source, Engine::Postgres, &table.table)
        };
        WantedTable { schema, rows: 0, is_partial: false }
    };
    Wanted {
        mode: Mode::Replace,
        tables: applied.tables.iter().map(table).collect(),
        record: SourceRecord::new(source, "postgres", "", Snapshot::RepeatableRead),
        views: None,
        large_objects: Vec::new(),
        create_tables: false,
        accept_cascade: false,
        accept_pause: false,
    }
}
