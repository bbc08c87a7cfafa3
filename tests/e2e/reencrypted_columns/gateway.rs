//! An application with two sealed columns: one in a table with a numeric key, one in a table with a key of two columns.

use std::collections::HashMap;

use serde_json::Value;
use strongroom_testkit::{TestDb, write_private};

use super::sealer::{KEY, Sealer};
use crate::dying_restores::site::Site;

/// Number of rows in the smaller table.
const TOKENS: i64 = 300;
/// Number of values that one statement writes.
const TOGETHER: usize = 500;

/// The application, with a vault.
pub(super) struct Gateway {
    pub(super) site: Site,
    pub(super) database: TestDb,
    pub(super) sealer: Sealer,
    /// URL with the role that owns the tables.
    pub(super) url: String,
    role: String,
}

/// The additional data of a server's value.
pub(super) fn aad(id: i64) -> String {
    format!("servers/bearer/{id}")
}

fn tables(is_sqlite: bool) -> String {
    // An application's function may depend on its role's search path.
    let trigger = if is_sqlite {
        "CREATE TRIGGER touch AFTER UPDATE OF bearer ON servers BEGIN INSERT INTO touched VALUES (new.id); END;"
    } else {
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN INSERT INTO touched VALUES (new.id); RETURN new; END $$;
         CREATE TRIGGER touch AFTER UPDATE OF bearer ON servers FOR EACH ROW EXECUTE FUNCTION touch();"
    };
    let shape = if is_sqlite { "WITHOUT ROWID" } else { "" };
    format!(
        "CREATE TABLE servers (id BIGINT PRIMARY KEY, name TEXT, bearer TEXT);
         CREATE TABLE tokens (owner VARCHAR(40) NOT NULL, number BIGINT NOT NULL, secret VARCHAR(400),
             PRIMARY KEY (owner, number)) {shape};
         CREATE TABLE touched (id BIGINT);
         {trigger}"
    )
}

impl Gateway {
    /// Creates the application with `servers` servers, whose plaintexts are `{id}-0`.
    pub(super) fn create(database: TestDb, servers: i64) -> Self {
        let is_sqlite = database.file().is_some();
        if is_sqlite {
            database.run("PRAGMA journal_mode = WAL");
        }
        database.run(&tables(is_sqlite));
        let (role, url) =
            if is_sqlite { (String::new(), database.url_text().to_owned()) } else { owner(&database) };
        let mut site = Site::create(0, TestDb::sqlite, "");
        let admin = site.deployment.admin.clone();
        let _ = admin.json(&["key", "create", KEY]);
        let (kind, file) = (if is_sqlite { "sqlite" } else { "postgres" }, site.deployment.path("owner.url"));
        write_private(&file, &url);
        site.sources = format!(
            "[[sources]]\nname = \"gateway\"\nkind = \"{kind}\"\nurl = \"{url}\"\nrestore_url_file = \"{}\"\n\n\
             [[sources.encrypted_columns]]\ncolumn = \"servers.bearer\"\nkey = \"{KEY}\"\naad = \"{{table}}/{{column}}/{{id}}\"\n\n\
             [[sources.encrypted_columns]]\ncolumn = \"tokens.secret\"\nkey = \"{KEY}\"\naad = \"t/{{owner}}/{{number}}\"\n\n",
            file.display()
        );
        let sealer = Sealer::new(&admin);
        let mut gateway = Self { site, database, sealer, url, role };
        gateway.fill(servers);
        gateway
    }

    fn fill(&mut self, servers: i64) {
        let ids: Vec<i64> = (1..=servers).collect();
        let values: Vec<_> = ids.iter().map(|id| (aad(*id), format!("{id}-0"))).collect();
        let sealed = self.sealer.seal(&values);
        let rows: Vec<String> =
            ids.iter().zip(sealed).map(|(id, value)| format!("({id}, 'n{id}', '{value}')")).collect();
        for rows in rows.chunks(TOGETHER) {
            self.database.run(&format!("INSERT INTO servers VALUES {}", rows.join(", ")));
        }
        let keys: Vec<(String, i64)> = (1..=TOKENS).map(|at| (format!("o''{}", at % 7), at)).collect();
        let values: Vec<_> = keys
            .iter()
            .map(|(owner, number)| (format!("t/{}/{number}", owner.replace("''", "'")), format!("t{number}")))
            .collect();
        let sealed = self.sealer.seal(&values);
        let rows: Vec<String> = keys
            .iter()
            .zip(sealed)
            .map(|((owner, number), value)| format!("('{owner}', {number}, '{value}')"))
            .collect();
        self.database.run(&format!("INSERT INTO tokens VALUES {}, ('none', 1, NULL)", rows.join(", ")));
    }

    /// Creates a new key version, and returns the kids of the old and the new one.
    pub(super) fn rotate(&self) -> (String, String) {
        let admin = &self.site.deployment.admin;
        let old = self.primary();
        let _ = admin.json(&["key", "rotate", KEY]);
        (old, self.primary())
    }

    fn primary(&self) -> String {
        let versions = self.site.deployment.admin.json(&["key", "list"]);
        let versions = versions.as_array().unwrap().iter();
        let mut primary = versions.filter(|one| one["keyId"] == KEY && one["state"] == "primary");
        primary.next().unwrap()["kid"].as_str().unwrap().to_owned()
    }

    /// The role that owns the tables (PostgreSQL).
    pub(super) fn role(&self) -> Option<&str> {
        (!self.role.is_empty()).then_some(&*self.role)
    }

    /// The servers' values by id, as stored in the database.
    pub(super) fn values(&self) -> HashMap<i64, String> {
        let gather = if self.database.file().is_some() { "group_concat" } else { "string_agg" };
        let all = self.database.text(&format!("SELECT {gather}(id || ' ' || bearer, ',') FROM servers"));
        let pair = |pair: &str| {
            let (id, value) = pair.split_once(' ').unwrap();
            (id.parse().unwrap(), value.to_owned())
        };
        all.split(',').map(pair).collect()
    }

    /// Number of values that the census counts for the version.
    pub(super) fn census(&self, kid: &str) -> i64 {
        let counts = self.site.deployment.admin.json(&["key", "census", KEY]);
        let counts = counts["counts"].as_array().unwrap().iter().filter(|count| count["kid"] == kid);
        counts.map(|count| number(&count["values"])).sum()
    }

    /// Number of values in the database that name the version.
    pub(super) fn stored(&self, kid: &str) -> i64 {
        let of = |table: &str, column: &str| {
            self.database.number(&format!("SELECT count(*) FROM {table} WHERE {column} LIKE 'srv1.{kid}.%'"))
        };
        of("servers", "bearer") + of("tokens", "secret")
    }

    /// Asserts that every value opens to the expected text.
    pub(super) fn assert_open(&mut self, expected: impl Fn(i64) -> String) {
        let values: Vec<(i64, String)> = self.values().into_iter().collect();
        let sealed: Vec<_> = values.iter().map(|(id, value)| (aad(*id), value.clone())).collect();
        for ((id, _), text) in values.iter().zip(self.sealer.open(&sealed)) {
            assert_eq!(text, expected(*id), "server {id}");
        }
    }
}

/// Proto3 JSON: 64-bit integers are strings, and 0 is omitted.
pub(super) fn number(value: &Value) -> i64 {
    value.as_str().map_or(0, |text| text.parse().unwrap())
}

/// Creates a role that owns the tables and is not a superuser; returns it and its URL.
fn owner(database: &TestDb) -> (String, String) {
    let role = format!("{}_owner", database.text("SELECT current_database()::text"));
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret' NOSUPERUSER"));
    for table in ["servers", "tokens", "touched"] {
        database.run(&format!("ALTER TABLE {table} OWNER TO {role}"));
    }
    let (_, address) = database.url_text().split_once('@').unwrap();
    let url = format!("postgres://{role}:secret@{address}");
    (role, url)
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.role.is_empty() {
            return;
        }
        let _ = self.database.is_accepted(&format!("REASSIGN OWNED BY {} TO CURRENT_USER", self.role));
        let _ = self.database.is_accepted(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.role));
    }
}
