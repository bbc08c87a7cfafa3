//! Converts Gatwy's groups and connections into rows of an application's tables for them.

use std::borrow::Cow;

use serde_json::value::RawValue;
use strongroom_archive::json::write_string;
use strongroom_archive::schema::{Column, Engine, TableSchema};
use strongroom_import::{Connection, Connections, Group, Id};
use strongroom_tables::load::WantedTable;

use super::choice::LiveTable;
use super::error::MoveError;
use super::loading::Rows;
use crate::error::{Error, Result};

/// Possible names of the table for groups; the first that exists is used.
const GROUPS: &[&str] = &["connection_groups", "groups"];
const CONNECTIONS: &[&str] = &["connections"];

/// A field of an entry: possible column names in both spellings, the second as in the file.
type Field = (&'static str, &'static str);

const OF_GROUPS: &[Field] =
    &[("id", "id"), ("name", "name"), ("parent_id", "parentId"), ("sort_order", "sortOrder")];
const OF_CONNECTIONS: &[Field] = &[
    ("id", "id"),
    ("name", "name"),
    ("protocol", "protocol"),
    ("host", "host"),
    ("port", "port"),
    ("username", "username"),
    ("group_id", "groupId"),
    ("shared", "shared"),
];

/// A value of an entry.
enum Value<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
    Truth(bool),
}

/// The names of the tables for the entries, groups first.
///
/// # Errors
/// [`MoveError::NoTable`], [`MoveError::NothingThere`].
pub(super) fn names(connections: &Connections, exists: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (candidates, entries, is_empty) in [
        (GROUPS, "groups", connections.groups.is_empty()),
        (CONNECTIONS, "connections", connections.connections.is_empty()),
    ] {
        if is_empty {
            continue;
        }
        let found = candidates.iter().find(|name| exists(name));
        let found = found.ok_or_else(|| {
            let wanted = candidates.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or ");
            Error::from(MoveError::NoTable { wanted, entries })
        })?;
        names.push((*found).to_owned());
    }
    if names.is_empty() { Err(MoveError::NothingThere.into()) } else { Ok(names) }
}

/// The entries for `live`, the tables found by [`names`], in the same order.
///
/// # Errors
/// [`MoveError::NoColumn`].
pub(super) fn rows(connections: &Connections, live: &[LiveTable]) -> Result<(Vec<WantedTable>, Rows)> {
    let groups: Vec<Vec<Value<'_>>> = connections.groups.iter().map(group).collect();
    let entries: Vec<Vec<Value<'_>>> = connections.connections.iter().map(connection).collect();
    let filled = [(OF_GROUPS, groups), (OF_CONNECTIONS, entries)].into_iter();
    let filled = filled.filter(|(_, rows)| !rows.is_empty());
    let (mut tables, mut made) = (Vec::new(), Vec::new());
    for ((fields, rows), live) in filled.zip(live) {
        let (wanted, values) = table(fields, &rows, live)?;
        tables.push(wanted);
        made.push(values);
    }
    Ok((tables, Rows::Made(made)))
}

fn group(group: &Group) -> Vec<Value<'_>> {
    vec![
        id(Some(&group.id)),
        text(Some(&group.name)),
        id(group.parent_id.as_ref()),
        group.sort_order.map_or(Value::Null, Value::Number),
    ]
}

fn connection(connection: &Connection) -> Vec<Value<'_>> {
    vec![
        id(Some(&connection.id)),
        text(Some(&connection.name)),
        text(Some(&connection.protocol)),
        text(Some(&connection.host)),
        connection.port.map_or(Value::Null, |port| Value::Number(port.into())),
        text(connection.username.as_ref()),
        id(connection.group_id.as_ref()),
        connection.shared.map_or(Value::Null, Value::Truth),
    ]
}

fn id(id: Option<&Id>) -> Value<'_> {
    match id {
        None => Value::Null,
        Some(Id::Number(number)) => Value::Number(*number),
        Some(Id::Text(text)) => Value::Text(text.into()),
    }
}

fn text(text: Option<&String>) -> Value<'_> {
    text.map_or(Value::Null, |text| Value::Text(text.into()))
}

/// One table with its columns for the fields, and the rows' values for those columns.
fn table(
    fields: &[Field],
    rows: &[Vec<Value<'_>>],
    live: &LiveTable,
) -> Result<(WantedTable, Vec<Vec<Box<RawValue>>>)> {
    let mut columns: Vec<(usize, &Column)> = Vec::new();
    for (place, (snake, camel)) in fields.iter().enumerate() {
        if let Some(column) = named(&live.schema, snake).or_else(|| named(&live.schema, camel)) {
            columns.push((place, column));
        } else if rows.iter().any(|row| !matches!(row[place], Value::Null)) {
            return Err(MoveError::NoColumn { table: live.name.clone(), snake, camel }.into());
        }
    }
    let engine = live.schema.engine;
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        let made = columns.iter().map(|(place, column)| json(&row[*place], engine, column));
        values.push(made.collect::<Result<Vec<_>>>()?);
    }
    let schema = TableSchema {
        name: live.name.clone(),
        namespace: live.schema.namespace.clone(),
        columns: columns.into_iter().map(|(_, column)| column.clone()).collect(),
        primary_key: live.schema.primary_key.clone(),
        ..TableSchema::empty(&live.schema.source, engine, &live.schema.table)
    };
    Ok((WantedTable { schema, rows: rows.len() as u64, is_partial: true }, values))
}

/// A writable column. Only PostgreSQL distinguishes letter case.
fn named<'a>(table: &'a TableSchema, name: &str) -> Option<&'a Column> {
    let is_it = |column: &&Column| match table.engine {
        Engine::Sqlite => column.name.eq_ignore_ascii_case(name),
        Engine::Postgres => column.name == name,
    };
    table.columns.iter().filter(|column| column.generated.is_none()).find(is_it)
}

/// JSON according to FORMAT.md §5. Truth values are numbers, except in columns of PostgreSQL's boolean type.
fn json(value: &Value<'_>, engine: Engine, column: &Column) -> Result<Box<RawValue>> {
    let is_boolean = engine == Engine::Postgres && column.type_name == "boolean";
    let json = match value {
        Value::Null => "null".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Truth(truth) if is_boolean => truth.to_string(),
        Value::Truth(truth) => u8::from(*truth).to_string(),
        Value::Text(text) => {
            let mut json = Vec::with_capacity(text.len() + 2);
            write_string(&mut json, text);
            String::from_utf8_lossy(&json).into_owned()
        }
    };
    RawValue::from_string(json).map_err(|error| Error::Defect(format!("a value is not JSON: {error}")))
}
