//! Databases owned by an unprivileged role.

use std::collections::BTreeSet;
use std::process::Command;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::database::FreshDatabase;

/// The variable that names the server, and whether the owner may set `session_replication_role`.
#[derive(Clone, Copy)]
pub struct Server {
    pub variable: &'static str,
    pub may_be_replica: bool,
}

pub const PLAIN: Server = Server { variable: "TEST_DATABASE_URL", may_be_replica: false };
pub const GRANTED: Server = Server { variable: "TEST_DATABASE_URL", may_be_replica: true };
pub const NEWEST: Server = Server { variable: "TEST_DATABASE_URL_18", may_be_replica: false };
const NEWEST_GRANTED: Server = Server { may_be_replica: true, ..NEWEST };

/// The servers to test on: with and without the grant, and in long runs also the newest server. The text distinguishes
/// the names of their test databases.
pub fn servers() -> Vec<(Server, &'static str)> {
    let mut servers = vec![(PLAIN, "plain"), (GRANTED, "granted")];
    if std::env::var_os("STRONGROOM_LONG").is_some() && std::env::var_os(NEWEST.variable).is_some() {
        servers.extend([(NEWEST, "newest_plain"), (NEWEST_GRANTED, "newest_granted")]);
    }
    servers
}

/// A new database, and the role that owns it.
pub struct Owned {
    database: FreshDatabase,
    role: String,
    /// Whether `pg_dump` is older than the server.
    is_newest: bool,
    /// The owner's URL.
    pub url: String,
}

impl Owned {
    /// `None` if the tests have no such server.
    pub async fn create(server: Server, purpose: &str) -> Option<Self> {
        let database = FreshDatabase::create_on(server.variable, purpose, "UTF8").await?;
        Some(Self::of(database, server.may_be_replica, server.variable == NEWEST.variable).await)
    }

    /// Like [`Self::create`], on a server that only one test uses.
    pub async fn create_at(server_url: &str, purpose: &str, may_be_replica: bool) -> Self {
        let database = FreshDatabase::create_at(server_url, purpose, "UTF8").await;
        Self::of(database, may_be_replica, false).await
    }

    async fn of(database: FreshDatabase, may_be_replica: bool, is_newest: bool) -> Self {
        let role = format!("{}_owner", database.name);
        let (_, address) = database.url.split_once('@').unwrap();
        let url = format!("postgres://{role}:secret@{address}");
        let owned = Self { database, role, is_newest, url };
        let (name, role) = (&owned.database.name, &owned.role);
        owned
            .as_superuser(&format!(
                "DROP ROLE IF EXISTS {role};
                 CREATE ROLE {role} LOGIN PASSWORD 'secret' NOSUPERUSER;
                 ALTER DATABASE {name} OWNER TO {role};"
            ))
            .await;
        if may_be_replica {
            owned.as_superuser(&format!("GRANT SET ON PARAMETER session_replication_role TO {role}")).await;
        }
        owned
    }

    /// A session as the owner.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Runs statements as the owner.
    pub async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await {
            panic!("{error}: {sql}");
        }
        connection.close().await.unwrap();
    }

    /// Runs statements that must fail.
    pub async fn fails(&self, sql: &str) -> String {
        let mut connection = self.connect().await;
        let failed = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        failed.unwrap_err().to_string()
    }

    /// One value.
    pub async fn value<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// The texts in one column.
    pub async fn values(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap()
    }

    /// A session as the superuser, for statements that must run alone.
    pub async fn superuser(&self) -> PgConnection {
        self.database.connect().await
    }

    /// Runs statements that need a superuser. Rights on parameters and roles belong to the server: if two tests change them
    /// at once, PostgreSQL fails one of them.
    pub async fn as_superuser(&self, sql: &str) {
        let mut connection = self.superuser().await;
        for _ in 0..20 {
            let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await
            else {
                return;
            };
            let text = error.to_string();
            let is_race = text.contains("tuple concurrently") || text.contains("pg_parameter_acl");
            assert!(is_race, "{error}: {sql}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("others change the same rights all the time: {sql}");
    }

    /// `pg_dump -s` without our own schema, as a set of lines. Versions 15.14 and later of `pg_dump` print a random key.
    /// Empty if `pg_dump` is older than the server.
    pub fn dumped(&self) -> BTreeSet<String> {
        if self.is_newest {
            return BTreeSet::new();
        }
        let text = self.pg_dump(&["-N", "strongroom"]);
        let lines =
            text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        lines.map(str::to_owned).collect()
    }

    /// Creates the schema of another database, without its rows.
    pub async fn like(&self, other: &Self) {
        let dumped = other.pg_dump(&["-O", "-x"]);
        let lines: Vec<&str> = dumped
            .lines()
            .filter(|line| !line.starts_with('\\') && !line.starts_with("CREATE SCHEMA public"))
            .collect();
        self.run(&lines.join("\n")).await;
    }

    fn pg_dump(&self, options: &[&str]) -> String {
        let output =
            Command::new("pg_dump").arg("-s").args(options).arg(&self.database.url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub async fn drop(self) {
        let (name, role) = (&self.database.name, &self.role);
        self.as_superuser(&format!(
            "ALTER DATABASE {name} OWNER TO CURRENT_USER; REASSIGN OWNED BY {role} TO CURRENT_USER;
             DROP OWNED BY {role}; DROP ROLE {role}"
        ))
        .await;
        self.database.drop().await;
    }
}
