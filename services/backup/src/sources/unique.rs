//! Table names are unique across all sources, because an archive has one folder for all of them.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Refuses two tables of one name; pairs are a source's name and a table's.
///
/// # Errors
/// [`Error::TableTaken`] naming both sources.
pub(crate) fn check_unique<'a>(tables: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut owners = HashMap::new();
    for (source, table) in tables {
        if let Some(first) = owners.insert(table, source) {
            let (table, first, second) = (table.to_owned(), first.to_owned(), source.to_owned());
            return Err(Error::TableTaken { table, first, second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_refused_with_both_sources() {
        let tables = [("vault", "credentials"), ("a", "users"), ("b", "Users"), ("b", "credentials")];
        let error = check_unique(tables.into_iter()).expect_err("credentials is there twice").to_string();
        for part in ["\"credentials\"", "source vault", "source b"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(check_unique(tables.into_iter().take(3)).is_ok());
    }
}
