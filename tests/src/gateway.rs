//! Databases for backups: the sample gateway and one big table.

use strongroom_testkit::TestDb;

use crate::program::repository;

/// The tables in an archive of the sample gateway, including the vault's but not the optional ones. These are the names
/// on the gateway's own Backup/Export page.
pub const SEED_TABLES: [&str; 14] = [
    "users",
    "projects",
    "endpoints",
    "api_gateway_endpoints",
    "mcp_servers",
    "oauth_service_connections",
    "credentials",
    "provider_templates",
    "provider_settings",
    "guardrail_configs",
    "api_tokens",
    "webhooks",
    "wrapper_provider_settings",
    "wrapper_aliases",
];

/// Fills `db` with the sample gateway of `deploy/sample/gateway.sql`, which works on both engines.
pub fn sample_gateway(db: &TestDb) {
    let file = repository().join("deploy/sample/gateway.sql");
    let sql = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    db.run(&sql);
}

/// Creates a PostgreSQL table `big` with `rows` rows of about 650 bytes, half of which deflate cannot shrink.
pub fn bulk_table(db: &TestDb, rows: u64) {
    db.run(&format!(
        "CREATE TABLE big (id bigint PRIMARY KEY, at timestamptz NOT NULL, status int, cost numeric(12,6),
             cached boolean, note text, body text NOT NULL);
         INSERT INTO big
         SELECT n, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second', 200 + n % 5, n / 7.0,
             n % 2 = 0, 'request ' || n || ' of a user with a rather long note about what was asked for',
             md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text) || md5((n + 3)::text)
             || repeat('a plain sentence that compresses well; ', 8)
         FROM generate_series(1, {rows}) AS n;"
    ));
}

/// Creates a SQLite table `big` of 60 MB that deflate can only halve: more than all buffers on the way to a client
/// hold.
pub fn random_table(db: &TestDb) {
    db.run(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT);
         WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 60000)
         INSERT INTO big SELECT id, hex(randomblob(500)) FROM n;",
    );
}

/// A `[[sources]]` section for `db`. The sample's log table is an optional group; `groups` adds it, because naming it
/// for any other database would be a configuration mistake.
#[must_use]
pub fn source(name: &str, db: &TestDb, groups: &[(&str, &str)]) -> String {
    let kind = if db.file().is_some() { "sqlite" } else { "postgres" };
    let mut section =
        format!("[[sources]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{}\"\n\n", db.url_text());
    for (table, time_column) in groups {
        section.push_str(&format!(
            "[[sources.optional]]\nname = \"{table}\"\ntables = [\"{table}\"]\ntime_column = \"{time_column}\"\n\n"
        ));
    }
    section
}
