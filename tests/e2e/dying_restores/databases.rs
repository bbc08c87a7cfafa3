//! A database for each failpoint, with rows that tests can tell apart.

use strongroom_testkit::TestDb;

const TABLES: &str = "
    CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE things (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owners (id), size INTEGER);
    INSERT INTO owners VALUES (1, 'old one'), (2, 'old two');
    INSERT INTO things VALUES (1, 1, 10), (2, 2, 20), (3, 1, 30);
";

/// The application's changes after the backup.
const CHANGES: &str = "
    UPDATE owners SET name = 'new one' WHERE id = 1;
    DELETE FROM things WHERE id = 2;
    INSERT INTO things VALUES (4, 2, 40);
";

const ARCHIVED: &str = "1 old one 2 old two / 1 1 10 2 2 20 3 1 30";
const CHANGED: &str = "1 new one 2 old two / 1 1 10 3 1 30 4 2 40";

/// A database to be restored.
pub(crate) struct Target {
    pub(crate) source: String,
    database: TestDb,
    /// The role that owns the tables (PostgreSQL); not a superuser.
    owner: String,
}

impl Target {
    /// Creates it with the rows that will be in the backup.
    pub(crate) fn create(source: &str, database: TestDb) -> Self {
        if database.file().is_some() {
            database.run("PRAGMA journal_mode = WAL");
        }
        database.run(TABLES);
        let mut target = Self { source: source.to_owned(), database, owner: String::new() };
        if target.database.file().is_none() {
            target.owner = target.give_to_an_owner();
        }
        target
    }

    /// Gives the tables to a new role. Every second role may keep triggers from firing, which spares readers the wait.
    fn give_to_an_owner(&self) -> String {
        let name = self.database.text("SELECT current_database()::text");
        let role = format!("{name}_owner");
        self.database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret' NOSUPERUSER"));
        self.database.run(&format!("ALTER DATABASE {name} OWNER TO {role}"));
        for table in ["owners", "things"] {
            self.database.run(&format!("ALTER TABLE {table} OWNER TO {role}"));
        }
        if self.source.ends_with(['0', '2', '4', '6', '8']) {
            self.database.run(&format!("GRANT SET ON PARAMETER session_replication_role TO {role}"));
        }
        role
    }

    /// The URL with which the service reads and restores the database.
    fn url(&self) -> String {
        let url = self.database.url_text();
        match url.split_once('@') {
            Some((_, address)) if !self.owner.is_empty() => {
                format!("postgres://{}:secret@{address}", self.owner)
            }
            _ => url.to_owned(),
        }
    }

    pub(crate) fn change(&self) {
        self.database.run(CHANGES);
    }

    /// A change that a rollback would discard.
    pub(crate) fn rename_an_owner(&self) {
        self.database.run("UPDATE owners SET name = 'renamed' WHERE id = 2");
    }

    pub(super) fn lose_a_thing(&self) {
        self.database.run("DELETE FROM things WHERE id = 2");
    }

    pub(super) fn has_all_things(&self) -> bool {
        self.database.number("SELECT count(*) FROM things") == 3
    }

    /// Its `[[sources]]` section; the file with its restore URL is in `folder`.
    pub(crate) fn configuration(&self, folder: &std::path::Path) -> String {
        let kind = if self.database.file().is_some() { "sqlite" } else { "postgres" };
        let (source, url) = (&self.source, self.url());
        let file = folder.join(format!("{source}.url"));
        // Another replica may be reading it at this moment.
        if !file.exists() {
            strongroom_testkit::write_private(&file, &url);
        }
        format!(
            "[[sources]]\nname = \"{source}\"\nkind = \"{kind}\"\nurl = \"{url}\"\ntable_prefix = \"{source}_\"\n\
             restore_url_file = \"{}\"\n\n",
            file.display()
        )
    }

    /// Whether it has the archive's rows; a mixture fails the test.
    pub(crate) fn is_restored(&self) -> bool {
        let rows =
            format!("{} / {}", self.rows("owners", "name"), self.rows("things", "owner || ' ' || size"));
        assert!([ARCHIVED, CHANGED].contains(&rows.as_str()), "{}: {rows}", self.source);
        rows == ARCHIVED
    }

    /// Whether the database, or its folder, contains anything of ours.
    pub(crate) fn has_ours(&self) -> bool {
        let Some(file) = self.database.file() else {
            return self.database.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'")
                > 0;
        };
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_strongroom%' ESCAPE '\\'";
        let mut entries = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let is_beside = |name: String| name.contains(".strongroom-");
        self.database.number(tables) > 0
            || entries.any(|entry| is_beside(entry.unwrap().file_name().into_string().unwrap()))
    }

    /// Ends all sessions (PostgreSQL), like a crash of its server.
    pub(crate) fn sever(&self) {
        self.database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }

    /// Refuses new connections and ends existing sessions (PostgreSQL), through a session with `other`.
    pub(crate) fn close(&self, other: &TestDb) {
        let name = self.name();
        other.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        other
            .run(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    }

    /// Reverses [`Self::close`].
    pub(crate) fn open(&self, other: &TestDb) {
        other.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name()));
    }

    /// The database's name, derived from its owner's.
    fn name(&self) -> &str {
        self.owner.strip_suffix("_owner").unwrap()
    }

    fn rows(&self, table: &str, columns: &str) -> String {
        let gather = if self.database.file().is_some() { "group_concat" } else { "string_agg" };
        self.database.text(&format!(
            "SELECT {gather}(line, ' ') FROM (SELECT id || ' ' || {columns} AS line FROM {table} ORDER BY id) AS rows"
        ))
    }
}

/// Ignores errors, because it also runs after a failed test.
impl Drop for Target {
    fn drop(&mut self) {
        let role = &self.owner;
        let Some(name) = role.strip_suffix("_owner") else { return };
        for statement in [
            format!("ALTER DATABASE {name} OWNER TO CURRENT_USER"),
            format!("REASSIGN OWNED BY {role} TO CURRENT_USER"),
            format!("DROP OWNED BY {role}"),
            format!("DROP ROLE {role}"),
        ] {
            let _ = self.database.is_accepted(&statement);
        }
    }
}
