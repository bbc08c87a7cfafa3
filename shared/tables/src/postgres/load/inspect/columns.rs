//! Checks whether a table's columns accept the archive's values.

use std::collections::HashMap;

use strongroom_archive::schema::{Column, Engine, UserType};

use crate::load::Refusal;
use crate::postgres::load::encode::Form;
use crate::postgres::load::pair::TablePair;

pub(super) fn refusals(pairs: &[Option<TablePair>]) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for pair in pairs.iter().flatten() {
        refusals.extend(missing(pair));
        let mut both = Vec::new();
        for column in &pair.archive.columns {
            let live = pair.live.columns.iter().find(|live| live.name == column.name);
            both.extend(live.map(|live| (column, live)));
        }
        for (archive, live) in both {
            refusals.extend(match pair.archive.engine {
                Engine::Postgres => differing(pair, archive, live),
                Engine::Sqlite => foreign(pair, archive, live),
            });
        }
        for refusal in types(pair) {
            // Several tables can use the same type.
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        }
    }
    refusals
}

/// Columns that exist on one side only. A generated column of the archive is generated again, or not needed.
fn missing(pair: &TablePair) -> Vec<Refusal> {
    let table = || pair.archive.name.clone();
    let archive: HashMap<&str, &Column> =
        pair.archive.columns.iter().map(|column| (column.name.as_str(), column)).collect();
    let has = |name: &str| pair.live.columns.iter().any(|column| column.name == name);
    let gone = pair.archive.columns.iter().filter(|column| column.generated.is_none() && !has(&column.name));
    let gone = gone.map(|column| Refusal::ColumnMissing { table: table(), column: column.name.clone() });
    let needed = pair.live.columns.iter().filter(|column| {
        let given = column.default.is_some() || column.generated.is_some() || column.identity.is_some();
        !archive.contains_key(column.name.as_str()) && !column.nullable && !given
    });
    let needed = needed.map(|column| Refusal::ColumnNeeded { table: table(), column: column.name.clone() });
    gone.chain(needed).collect()
}

fn differing(pair: &TablePair, archive: &Column, live: &Column) -> Option<Refusal> {
    let (table, column) = (pair.archive.name.clone(), archive.name.clone());
    if archive.type_name != live.type_name {
        let (archive, target) = (archive.type_name.clone(), live.type_name.clone());
        return Some(Refusal::ColumnType { table, column, archive, target });
    }
    if archive.generated.is_none() && live.generated.is_some() {
        let problem = "the target computes this column".to_owned();
        return Some(Refusal::ColumnForm { table, column, problem });
    }
    (archive.nullable && !live.nullable && archive.generated.is_none())
        .then_some(Refusal::ColumnNotNull { table, column })
}

/// Compares with the declared type. In SQLite every row can have another type: unsuitable values are found when they are
/// read.
fn foreign(pair: &TablePair, archive: &Column, live: &Column) -> Option<Refusal> {
    let declared = archive.type_name.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    let form = Form::of(&live.type_name, &pair.live.types);
    let problem = if live.generated.is_some() {
        (archive.generated.is_none()).then(|| "the target computes this column".to_owned())
    } else if has(&["BLOB"]) && !matches!(form, Form::Bytes | Form::Uuid | Form::Other) {
        Some(format!("it holds bytes, and the target's type is {}", live.type_name))
    } else if has(&["INT"]) && matches!(form, Form::Bytes | Form::Uuid | Form::Time) {
        Some(format!("it holds whole numbers, and the target's type is {}", live.type_name))
    } else if has(&["REAL", "FLOA", "DOUB"]) && !matches!(form, Form::Number | Form::Text | Form::Other) {
        Some(format!("it holds real numbers, and the target's type is {}", live.type_name))
    } else if has(&["CHAR", "CLOB", "TEXT"]) && form == Form::Bytes {
        Some("it holds text, and the target's type is bytea".to_owned())
    } else {
        None
    };
    let (table, column) = (pair.archive.name.clone(), archive.name.clone());
    problem.map(|problem| Refusal::ColumnForm { table, column, problem })
}

fn types(pair: &TablePair) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for archive in &pair.archive.types {
        let live = pair.live.types.iter().find(|live| name(live) == name(archive));
        match (archive, live) {
            (UserType::Enum { name, labels: wanted }, Some(UserType::Enum { labels, .. })) => {
                let missing = wanted.iter().filter(|label| !labels.contains(label));
                refusals.extend(
                    missing.map(|label| Refusal::EnumLabel { type_name: name.clone(), label: label.clone() }),
                );
            }
            (UserType::Domain { base, .. }, Some(UserType::Domain { base: live, .. })) if base == live => {}
            (UserType::Composite { attributes, .. }, Some(UserType::Composite { attributes: live, .. }))
                if attributes == live => {}
            (UserType::Range { subtype, .. }, Some(UserType::Range { subtype: live, .. }))
                if subtype == live => {}
            // A missing type is refused through its column.
            (_, None) => {}
            _ => refusals.push(Refusal::Unsupported {
                table: pair.archive.name.clone(),
                problem: format!("its type {} is defined differently in the target", name(archive)),
            }),
        }
    }
    refusals
}

fn name(one: &UserType) -> &str {
    match one {
        UserType::Enum { name, .. }
        | UserType::Domain { name, .. }
        | UserType::Composite { name, .. }
        | UserType::Range { name, .. } => name,
    }
}
