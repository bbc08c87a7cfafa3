//! Parts of a schema that only its application provides: collations, and functions of generated columns.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::tokens::{Token, tokens};
use crate::fault::{Fault, is_sqlite_error};
use crate::names::quoted;
use crate::options::Skipped;

/// Defines every collation that the schema names and SQLite does not know, as byte order: SQLite does not open a table
/// without its collations. The order does not matter, because whole tables are read.
pub(super) async fn create_collations(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    // Built-in collations. SQLite's own list also contains collations that a schema only names.
    const KNOWN: [&str; 3] = ["binary", "nocase", "rtrim"];
    let statements: Vec<String> =
        sqlx::query_scalar("SELECT sql FROM main.sqlite_schema WHERE sql LIKE '%collate%'")
            .fetch_all(&mut *connection)
            .await?;
    let mut names: Vec<String> = statements.iter().flat_map(|sql| collations(sql)).collect();
    names.sort();
    names.dedup();
    names.retain(|name| !KNOWN.contains(&&*name.to_ascii_lowercase()));
    let mut handle = connection.lock_handle().await?;
    for name in names {
        handle.create_collation(&name, |one, other| one.as_bytes().cmp(other.as_bytes()))?;
    }
    Ok(())
}

fn collations(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let named = tokens.windows(2).filter(|pair| pair[0].is_word("collate"));
    named.filter_map(|pair| pair[1].text().map(str::to_owned)).collect()
}

/// Those of `columns` (generated columns that are computed on reading) that cannot be computed. `all_rows` tries every row;
/// otherwise only errors that occur without reading a row are found.
pub(super) async fn unreadable(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[String],
    all_rows: bool,
) -> sqlx::Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    if columns.is_empty() || try_columns(connection, table, columns, all_rows).await?.is_none() {
        return Ok(skipped);
    }
    for column in columns {
        let column = std::slice::from_ref(column);
        if let Some(fault) = try_columns(connection, table, column, all_rows).await? {
            let reason = format!("generated column that needs its application: {fault}");
            skipped.push(Skipped { name: format!("{table}.{}", column[0]), reason });
        }
    }
    Ok(skipped)
}

/// The error in computing the columns, if any. `typeof` forces SQLite to compute the value; NOT INDEXED stops it from using an
/// index.
async fn try_columns(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[String],
    all_rows: bool,
) -> sqlx::Result<Option<Fault>> {
    let values = columns.iter().map(|column| format!("count(typeof(t.{}))", quoted(column)));
    let values = values.collect::<Vec<_>>().join(", ");
    let none = if all_rows { "" } else { " WHERE false" };
    let sql = format!("SELECT {values} FROM main.{} AS t NOT INDEXED{none}", quoted(table));
    match sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_optional(connection).await {
        Ok(_) => Ok(None),
        Err(error) if is_sqlite_error(&error) => Ok(Some(Fault::of(&error))),
        Err(error) => Err(error),
    }
}

/// A virtual table, parsed from its statement.
pub(super) struct VirtualTable {
    pub(super) name: String,
    /// The module's name in lower case.
    pub(super) module: String,
    /// The `content` option of a full-text table: the name of the table that contains its text, or an empty name if there is
    /// none. Without the option it stores the text itself.
    pub(super) content: Option<String>,
}

impl VirtualTable {
    pub(super) fn parse(name: &str, sql: &str) -> Self {
        let tokens = tokens(sql);
        let using = tokens.iter().position(|token| token.is_word("using"));
        let module = using.and_then(|at| tokens.get(at + 1)?.text()).unwrap_or_default();
        let content = tokens.windows(4).find_map(|four| {
            let is_option = matches!(four[0], Token::Other('(' | ','))
                && four[1].is_word("content")
                && four[2] == Token::Other('=');
            is_option.then(|| four[3].text().map(str::to_owned)).flatten()
        });
        Self { name: name.to_owned(), module: module.to_ascii_lowercase(), content }
    }

    /// Whether this is one of SQLite's full-text tables.
    pub(super) fn is_full_text(&self) -> bool {
        matches!(self.module.as_str(), "fts3" | "fts4" | "fts5")
    }

    /// The suffix of `table`, if that is an inner table of this one.
    pub(super) fn inner<'a>(&self, table: &'a str) -> Option<&'a str> {
        let (owner, inner) = table.rsplit_once('_')?;
        owner.eq_ignore_ascii_case(&self.name).then_some(inner)
    }

    /// Whether the rows of its inner table can be rebuilt from an exported table. A full-text index can be rebuilt from its
    /// text; `has_content` says whether there is a table with the text.
    pub(super) fn derives(&self, inner: &str, has_content: bool) -> bool {
        has_content
            && self.content.as_deref() != Some("")
            && self.is_full_text()
            // `config` holds options set by the application, such as the ranking.
            && !["content", "config"].iter().any(|kept| inner.eq_ignore_ascii_case(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_tables_are_understood() {
        let parse = |sql| VirtualTable::parse("Notes", sql);
        let own = parse("CREATE VIRTUAL TABLE Notes USING fts5(body, prefix='2 3')");
        assert_eq!(own.inner("notes_content"), Some("content"));
        assert_eq!(own.inner("other_content"), None);
        assert!(
            own.derives("idx", true)
                && !own.derives("content", true)
                && !own.derives("config", true)
                && !own.derives("idx", false)
        );
        let none = parse("create virtual table Notes using \"FTS5\"(body, content = '')");
        assert!(!none.derives("idx", true));
        assert!(!parse("CREATE VIRTUAL TABLE Notes USING rtree(id, a, b)").derives("node", true));
    }
}
