//! The connected user's rights to read.

use super::naming::{archive_name, qualified};
use crate::error::{Error, Result};
use crate::names::quoted;

/// This user's rights on a table.
#[derive(Clone, sqlx_macros::FromRow)]
pub(super) struct Rights {
    may_use: Option<bool>,
    may_select: Option<bool>,
    hidden_rows: bool,
    role: String,
}

/// Columns of [`Rights`] for the `pg_class` row `c` and its `pg_namespace` row `n`.
pub(super) const RIGHTS: &str = "has_schema_privilege(n.oid, 'USAGE') AS may_use,
    has_table_privilege(c.oid, 'SELECT') AS may_select, row_security_active(c.oid) AS hidden_rows,
    current_user::text AS role";

impl Rights {
    /// Checked here and not left to LOCK, because the server's message does not say which schema is meant.
    pub(super) fn check(&self, namespace: &str, table: &str, source: &str) -> Result<()> {
        let (schema, role) = (quoted(namespace), quoted(&self.role));
        let advice = if self.may_use == Some(false) {
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}")
        } else if self.may_select == Some(false) {
            format!("GRANT SELECT ON {} TO {role}", qualified(namespace, table))
        } else if self.hidden_rows {
            format!("row security would hide rows from it: ALTER ROLE {role} BYPASSRLS, or exclude the table")
        } else {
            return Ok(());
        };
        Err(Error::Denied { name: source.to_owned(), table: archive_name(namespace, table), advice })
    }
}
