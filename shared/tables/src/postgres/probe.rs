//! Which kinds of objects a database has, so that the others are not queried. On a new connection, each catalogue that
//! a statement touches costs time, which is noticeable in an export of a small database.

use sqlx::postgres::PgConnection;

use crate::RESTORE_SCHEMA;

/// The results of one statement.
#[derive(sqlx_macros::FromRow)]
pub(super) struct Probe {
    pub(super) encoding: String,
    pub(super) version: String,
    pub(super) has_views: bool,
    pub(super) has_policies: bool,
    pub(super) has_large_objects: bool,
    /// Each as `name version`.
    pub(super) extensions: Vec<String>,
}

impl Probe {
    pub(super) async fn load(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let sql = format!(
            "SELECT current_setting('server_encoding') AS encoding, current_setting('server_version') AS version,
                    EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('v', 'm') AND c.relnamespace NOT IN
                            (SELECT n.oid FROM pg_namespace n
                             WHERE n.nspname ~ '^pg_' OR n.nspname IN ('information_schema', '{RESTORE_SCHEMA}')))
                        AS has_views,
                    EXISTS (SELECT FROM pg_policy) AS has_policies,
                    EXISTS (SELECT FROM pg_largeobject_metadata) AS has_large_objects,
                    ARRAY(SELECT extname || ' ' || extversion FROM pg_extension ORDER BY extname) AS extensions"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await
    }
}
