//! Rows outside the restored tables that foreign keys changed.

use super::rows::stored;
use crate::names::quoted;
use crate::postgres::load::difference::of_alias;
use crate::postgres::load::registry::OutsideTable;
use crate::postgres::load::statements::{Failure, Session};
use crate::postgres::naming::qualified;

/// Brings back deleted rows, and in the others the columns that foreign keys set.
pub(super) async fn bring_back(session: &mut Session<'_>, outside: &OutsideTable) -> Result<(), Failure> {
    let what = format!("rolling back table {}", outside.name());
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
