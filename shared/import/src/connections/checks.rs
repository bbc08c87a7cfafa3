//! Rules for entries that the JSON form alone does not enforce.

use std::collections::HashSet;

use super::{Connection, Group, Id, wrong};
use crate::error::Result;

/// Refuses entries without required values, duplicate ids, and references to missing groups.
pub(super) fn check(groups: &[Group], connections: &[Connection]) -> Result<()> {
    let mut known = HashSet::new();
    for (at, group) in groups.iter().enumerate() {
        let entry = || format!("groups[{at}]");
        check_id(&entry, &group.id, &mut known)?;
        check_text(&entry, "name", &group.name)?;
    }
    for (at, group) in groups.iter().enumerate() {
        check_group(&|| format!("groups[{at}]"), "parentId", group.parent_id.as_ref(), &known)?;
    }
    let mut ids = HashSet::new();
    for (at, connection) in connections.iter().enumerate() {
        let entry = || format!("connections[{at}]");
        check_id(&entry, &connection.id, &mut ids)?;
        for (field, text) in
            [("name", &connection.name), ("protocol", &connection.protocol), ("host", &connection.host)]
        {
            check_text(&entry, field, text)?;
        }
        if connection.port == Some(0) {
            return Err(wrong(format!("is refused: the port of {} is 0", entry())));
        }
        check_group(&entry, "groupId", connection.group_id.as_ref(), &known)?;
    }
    Ok(())
}

fn check_id<'a>(entry: &dyn Fn() -> String, id: &'a Id, known: &mut HashSet<&'a Id>) -> Result<()> {
    if matches!(id, Id::Text(text) if text.is_empty()) {
        return Err(wrong(format!("is refused: the id of {} is empty", entry())));
    }
    if !known.insert(id) {
        return Err(wrong(format!("is refused: the id {id} of {} is also that of another entry", entry())));
    }
    Ok(())
}

fn check_text(entry: &dyn Fn() -> String, field: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(wrong(format!("is refused: the {field} of {} is empty", entry())));
    }
    Ok(())
}

fn check_group(entry: &dyn Fn() -> String, field: &str, id: Option<&Id>, known: &HashSet<&Id>) -> Result<()> {
    match id.filter(|id| !known.contains(id)) {
        Some(id) => {
            Err(wrong(format!("is refused: the {field} of {} is {id}, and no group has that id", entry())))
        }
        None => Ok(()),
    }
}
