//! The names of tables in archives, which have one folder for the tables of all sources.
//!
//! A table keeps its own name, unless an earlier source has a table of that name: then its name is prefixed with the
//! source's name. Names depend on everything that the sources have, never on an export's selection, so a table has the
//! same name in every archive. Letter case does not distinguish names of different sources, but does within a source.

use std::collections::{HashMap, HashSet};

use strongroom_archive::EncryptedColumn;

use crate::error::{Error, Result};

/// The contents of a source, independent of an export's selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// The source's name.
    pub(crate) source: String,
    /// Prefix of each of its names, if configured.
    pub(crate) prefix: Option<String>,
    /// Its tables, by its own names.
    pub(crate) tables: Vec<String>,
}

/// Names in archives, by source in archive order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    sources: Vec<Named>,
}

#[derive(Debug, Clone, Default)]
struct Named {
    /// Own name to archive name.
    names: HashMap<String, String>,
    taken: Option<Taken>,
}

/// The first name of a source that another source already has.
#[derive(Debug, Clone)]
struct Taken {
    table: String,
    first: String,
    second: String,
}

impl Names {
    /// Names every table of `inventories`, which are in archive order. A table whose name is still taken gets none.
    pub(crate) fn assign(inventories: &[Inventory]) -> Self {
        let mut owners: HashMap<String, String> = HashMap::new();
        let mut sources = Vec::with_capacity(inventories.len());
        for inventory in inventories {
            let named = Named::create(inventory, &owners);
            for name in named.names.values() {
                owners.entry(fold_case(name)).or_insert_with(|| inventory.source.clone());
            }
            sources.push(named);
        }
        Self { sources }
    }

    /// The archive name of a table of the source at index `at`; `None` if it has none.
    pub(crate) fn of(&self, at: usize, own: &str) -> Option<&str> {
        self.sources.get(at)?.names.get(own).map(String::as_str)
    }

    /// Refuses names that are taken.
    ///
    /// # Errors
    /// [`Error::TableTaken`] naming both sources.
    pub(crate) fn check(&self) -> Result<()> {
        (0..self.sources.len()).try_for_each(|at| self.check_source(at))
    }

    /// The same for one source.
    pub(crate) fn check_source(&self, at: usize) -> Result<()> {
        match self.sources.get(at).and_then(|named| named.taken.clone()) {
            Some(Taken { table, first, second }) => Err(Error::TableTaken { table, first, second }),
            None => Ok(()),
        }
    }
}

impl Named {
    fn create(inventory: &Inventory, owners: &HashMap<String, String>) -> Self {
        let Inventory { source, prefix, tables } = inventory;
        let mut named = Self::default();
        let mut used = HashSet::new();
        let is_free = |name: &str| !owners.contains_key(&fold_case(name));
        let own = |table: &String| prefix.is_none() && is_free(table);
        // Tables that keep their names come first, so that the order of tables does not matter.
        let (plain, other): (Vec<_>, Vec<_>) = tables.iter().partition(|table| own(table));
        for table in plain {
            used.insert(table.clone());
            named.names.insert(table.clone(), table.clone());
        }
        for table in other {
            let name = match prefix {
                Some(prefix) => format!("{prefix}{table}"),
                None => format!("{source}.{table}"),
            };
            let owner = owners.get(&fold_case(&name)).cloned();
            // Two tables of the source itself: `b.users`, and `users` after prefixing.
            let owner = owner.or_else(|| (!used.insert(name.clone())).then(|| source.clone()));
            match owner {
                Some(first) => {
                    let taken = Taken { table: name, first, second: source.clone() };
                    named.taken.get_or_insert(taken);
                }
                None => {
                    named.names.insert(table.clone(), name);
                }
            }
        }
        named
    }
}

/// The column as a manifest declares it: `{table}` in the additional data is the name that the application knows and
/// used for sealing.
///
/// # Errors
/// [`Error::ColumnName`] if no template can contain that name.
pub(crate) fn in_archive(column: &EncryptedColumn, name: &str) -> Result<EncryptedColumn> {
    const TABLE: &str = "{table}";
    let mut named = column.clone();
    if name == column.table {
        return Ok(named);
    }
    if column.aad.contains(TABLE) {
        // Braces mark names in a template and cannot be escaped.
        if column.table.contains(['{', '}']) {
            let (table, column) = (column.table.clone(), column.column.clone());
            return Err(Error::ColumnName { table, column, name: name.to_owned() });
        }
        named.aad = column.aad.replace(TABLE, &column.table);
    }
    name.clone_into(&mut named.table);
    Ok(named)
}

/// One spelling for all letter cases. Upper case first, because some characters (ſ, ß) coincide with others only there.
fn fold_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn inventory(source: &str, prefix: Option<&str>, tables: &[&str]) -> Inventory {
        let tables = tables.iter().map(|table| (*table).to_owned()).collect();
        Inventory { source: source.into(), prefix: prefix.map(Into::into), tables }
    }

    #[test]
    fn the_later_table_is_qualified_and_the_order_of_tables_decides_nothing() {
        for tables in [["users", "orders", "Api_Tokens"], ["Api_Tokens", "orders", "users"]] {
            let names = Names::assign(&[
                inventory("vault", None, &["api_tokens"]),
                inventory("a", None, &["users", "x"]),
                inventory("b", None, &tables),
                inventory("c", Some("old_"), &["users", "other"]),
            ]);
            names.check().unwrap();
            for (at, own, name) in [
                (0, "api_tokens", "api_tokens"),
                (1, "users", "users"),
                (2, "users", "b.users"),
                (2, "Api_Tokens", "b.Api_Tokens"),
                (2, "orders", "orders"),
                (3, "users", "old_users"),
                (3, "other", "old_other"),
            ] {
                assert_eq!(names.of(at, own), Some(name));
            }
            assert_eq!(names.of(3, "nothing"), None);
        }
    }

    #[test]
    fn a_name_that_is_still_taken_is_refused_with_both_sources() {
        for (inventories, name, first, second) in [
            (
                [inventory("a", None, &["users", "b.users"]), inventory("b", None, &["users"])],
                "b.users",
                "a",
                "b",
            ),
            (
                [inventory("a", None, &["users"]), inventory("b", None, &["b.users", "users"])],
                "b.users",
                "b",
                "b",
            ),
            (
                [inventory("a", None, &["B_USERS"]), inventory("b", Some("b_"), &["users"])],
                "b_users",
                "a",
                "b",
            ),
        ] {
            let names = Names::assign(&inventories);
            assert!(names.check_source(0).is_ok());
            let error = names.check().unwrap_err().to_string();
            for part in [name, &format!("source {first}"), &format!("source {second}"), "table_prefix"] {
                assert!(error.contains(part), "{error}");
            }
            assert_eq!(names.of(1, "users"), None);
        }
    }

    #[test]
    fn letter_case_counts_inside_a_source() {
        let names =
            Names::assign(&[inventory("a", None, &["Users", "users"]), inventory("b", None, &["USERS"])]);
        names.check().unwrap();
        assert_eq!((names.of(0, "Users"), names.of(0, "users")), (Some("Users"), Some("users")));
        assert_eq!(names.of(1, "USERS"), Some("b.USERS"));
    }

    #[test]
    fn additional_data_keeps_the_name_that_the_application_knows() {
        let column = |table: &str, aad: &str| EncryptedColumn {
            table: table.into(),
            column: "bearer".into(),
            key: "gateway".into(),
            aad: aad.into(),
        };
        let found = in_archive(&column("users", "{table}/{column}/{id}"), "b.users").unwrap();
        assert_eq!((&*found.table, &*found.aad), ("b.users", "users/{column}/{id}"));
        let same = column("users", "{table}/{id}");
        assert_eq!(in_archive(&same, "users").unwrap(), same);
        assert!(in_archive(&column("a{b}", "{table}"), "b.a{b}").is_err());
        assert!(in_archive(&column("a{b}", "{id}"), "b.a{b}").is_ok());
    }
}
