//! Creates missing tables from the archive's schema entries.
//!
//! SQLite keeps its statements as they were written, so a table, its indexes, triggers and views are recreated by running
//! them. A table from a PostgreSQL archive gets its keys, its foreign keys, and columns that accept its values; its
//! defaults, checks, indexes and triggers are in another SQL dialect, and are reported as left out.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Constraint, ConstraintKind, Engine, Index, TableSchema, Trigger};

use super::super::tokens::{Token, tokens};
use super::affinity::Affinity;
use super::foreign_value::Form;
use super::markers::run;
use super::pair::{Pair, PairColumn};
use crate::load::{Wanted, WantedTable};
use crate::names::quoted;

/// The [`Pair`] of the archive's table and the table that will be created from its schema entry. Only the fields that
/// matter for values are filled: names, columns and affinities.
pub(super) fn expected(at: usize, archive: &TableSchema) -> Pair {
    let is_strict = archive.sql.as_deref().is_some_and(is_strict);
    let stored = archive.columns.iter().enumerate().filter(|(_, column)| column.generated.is_none());
    let columns = stored.map(|(place, column)| PairColumn {
        archive: place,
        name: column.name.clone(),
        affinity: match archive.engine {
            Engine::Sqlite => Affinity::of(&column.type_name, is_strict),
            Engine::Postgres => Affinity::of(Form::of(&column.type_name, archive).declared(), false),
        },
    });
    Pair {
        at,
        name: archive.name.clone(),
        live: archive.table.clone(),
        columns: columns.collect(),
        extra: Vec::new(),
        key: None,
        is_derived: false,
        is_never_empty: false,
        rowid: None,
    }
}

/// A statement in the archive that is not a definition: it is never run.
pub(super) fn suspicious(missing: &[&WantedTable], wanted: &Wanted) -> Option<String> {
    let own = missing.iter().filter(|table| table.schema.engine == Engine::Sqlite);
    let tables = own.flat_map(|table| {
        let schema = &table.schema;
        let table = (schema.name.clone(), "table", schema.sql.clone().unwrap_or_default());
        let index = |index: &Index| (index.name.clone(), "index", index.definition.clone());
        let indexes = schema.indexes.iter().map(index);
        std::iter::once(table).chain(indexes).chain(schema.triggers.iter().map(trigger))
    });
    let views = wanted.views.iter().filter(|schema| schema.engine == Engine::Sqlite);
    let views = views.flat_map(|schema| &schema.views).flat_map(|view| {
        let view_itself = (view.name.clone(), "view", view.definition.clone());
        std::iter::once(view_itself).chain(view.triggers.iter().map(trigger))
    });
    let mut bad = tables.chain(views).filter(|(_, kind, sql)| !is_definition(sql, kind));
    bad.next().map(|(name, kind, _)| format!("{kind} {name}"))
}

fn trigger(trigger: &Trigger) -> (String, &'static str, String) {
    (trigger.name.clone(), "trigger", trigger.definition.clone())
}

/// Refuses to run a statement from `sqlite_schema` again if it is not just the definition of an index or a trigger: somebody
/// has written to that table.
pub(super) fn check_live(kind: &str, name: &str, sql: &str) -> sqlx::Result<()> {
    if is_definition(sql, kind) {
        return Ok(());
    }
    let problem = format!(
        "the {kind} {name} is not defined by a single CREATE statement, so it will not be run: drop it and create it again"
    );
    Err(sqlx::Error::Configuration(problem.into()))
}

/// Whether the text is one statement that creates an object of this kind.
fn is_definition(sql: &str, kind: &str) -> bool {
    let tokens = tokens(sql);
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|token: &Token| token.is_word(word));
    let at = if word(1, "unique") { 2 } else { 1 };
    if !word(0, "create") || !word(at, kind) {
        return false;
    }
    if kind != "trigger" {
        return !tokens.contains(&Token::Other(';'));
    }
    // A trigger ends at the first END that follows a semicolon.
    let end = tokens.windows(2).position(|two| two[0] == Token::Other(';') && two[1].is_word("end"));
    end.is_some_and(|at| at + 2 == tokens.len())
}

fn is_strict(sql: &str) -> bool {
    let end = sql.rfind(')').map_or("", |at| &sql[at..]);
    tokens(end).iter().any(|token| token.is_word("strict"))
}

/// The parts of a table that are not created.
pub(super) fn left_out(archive: &TableSchema) -> Option<String> {
    if archive.engine == Engine::Sqlite {
        return None;
    }
    let defaults = archive.columns.iter().filter(|column| column.default.is_some()).count();
    let is_check =
        |found: &&Constraint| matches!(found.kind, ConstraintKind::Check | ConstraintKind::Exclusion);
    let checks = archive.constraints.iter().filter(is_check).count();
    let counts = [
        (defaults, "default", "defaults"),
        (checks, "check", "checks"),
        (archive.indexes.len(), "index", "indexes"),
        (archive.triggers.len(), "trigger", "triggers"),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count > 0);
    let named =
        counts.map(|(count, one, several)| format!("{count} {}", if *count == 1 { one } else { several }));
    let named = named.collect::<Vec<_>>().join(", ");
    let problem =
        format!("table {} is created without parts written in PostgreSQL's SQL: {named}", archive.name);
    (!named.is_empty()).then_some(problem)
}

/// Creates the tables without their indexes, which would slow down loading, and without their triggers, which would
/// fire.
pub(super) async fn tables(connection: &mut SqliteConnection, missing: &[&WantedTable]) -> sqlx::Result<()> {
    for table in missing {
        let sql = match &table.schema.sql {
            Some(sql) if table.schema.engine == Engine::Sqlite => sql.clone(),
            _ => statement(&table.schema),
        };
        run(connection, sql).await?;
    }
    Ok(())
}

/// The statements for the indexes and triggers of created tables, which run after their rows are loaded. Each comes with its
/// table's archive name.
pub(super) fn later(missing: &[&WantedTable]) -> Vec<(String, String)> {
    let own = missing.iter().filter(|table| table.schema.engine == Engine::Sqlite);
    let own: Vec<&TableSchema> = own.map(|table| &table.schema).collect();
    let of = |table: &TableSchema, sql: &String| (table.name.clone(), sql.clone());
    let indexes = own.iter().flat_map(|table| table.indexes.iter().map(|one| of(table, &one.definition)));
    let triggers = own.iter().flat_map(|table| table.triggers.iter().map(|one| of(table, &one.definition)));
    indexes.chain(triggers).collect()
}

/// Creates the archive's missing views, with their triggers.
pub(super) async fn views(connection: &mut SqliteConnection, wanted: &Wanted) -> sqlx::Result<()> {
    let schema = wanted.views.iter().filter(|schema| schema.engine == Engine::Sqlite);
    for view in schema.flat_map(|schema| &schema.views) {
        let exists: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)",
        )
        .bind(&view.name)
        .fetch_one(&mut *connection)
        .await?;
        if exists {
            continue;
        }
        run(connection, view.definition.clone()).await?;
        for trigger in &view.triggers {
            run(connection, trigger.definition.clone()).await?;
        }
    }
    Ok(())
}

fn statement(table: &TableSchema) -> String {
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let mut parts: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| {
            let declared = Form::of(&column.type_name, table).declared();
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {declared}{not_null}", quoted(&column.name))
        })
        .collect();
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    parts.extend(table.unique().map(|columns| format!("UNIQUE ({})", list(columns))));
    for key in &table.foreign_keys {
        parts.push(format!(
            "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
            list(&key.columns),
            quoted(&key.references.table),
            list(&key.referenced_columns),
            key.on_delete,
            key.on_update
        ));
    }
    format!("CREATE TABLE main.{} ({})", quoted(&table.table), parts.join(", "))
}
