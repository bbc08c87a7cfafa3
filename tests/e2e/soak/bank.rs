//! An application whose data has one invariant: transfers between accounts never change the total.

use serde_json::Value;
use strongroom_testkit::{TestDb, write_private};

/// Number of accounts, and the balance of each at the beginning.
const ACCOUNTS: i64 = 200;
const BALANCE: i64 = 1_000;

pub(crate) struct Bank {
    database: TestDb,
    role: String,
}

impl Bank {
    /// `None` without PostgreSQL.
    pub(crate) fn open() -> Option<Self> {
        let database = TestDb::postgres()?;
        let name = database.text("SELECT current_database()::text");
        let role = format!("{name}_owner");
        database.run(&format!(
            "CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL, note text);
             INSERT INTO accounts SELECT id, {BALANCE}, repeat('x', 200) FROM generate_series(1, {ACCOUNTS}) AS id;
             CREATE ROLE {role} LOGIN PASSWORD 'secret' NOSUPERUSER;
             ALTER DATABASE {name} OWNER TO {role};
             ALTER TABLE accounts OWNER TO {role}"
        ));
        Some(Self { database, role })
    }

    /// Its `[[sources]]` section; the file with its restore URL is in `folder`.
    pub(crate) fn configuration(&self, folder: &std::path::Path) -> String {
        let (_, address) = self.database.url_text().split_once('@').unwrap();
        let url = format!("postgres://{}:secret@{address}", self.role);
        let file = folder.join("bank.url");
        write_private(&file, &url);
        format!(
            "[[sources]]\nname = \"bank\"\nkind = \"postgres\"\nurl = \"{url}\"\nrestore_url_file = \"{}\"\n\n",
            file.display()
        )
    }

    /// Moves an amount between two accounts, if both exist.
    pub(crate) fn transfer(&self, from: usize, to: usize, amount: usize) {
        let account = |number: usize| number as i64 % ACCOUNTS + 1;
        let (from, to) = (account(from), account(to));
        if from != to {
            // A restore or a severed connection can refuse it.
            let _ = self.database.is_accepted(&format!(
                "UPDATE accounts SET balance = balance + CASE WHEN id = {from} THEN -{amount} ELSE {amount} END
                 WHERE id IN ({from}, {to})"
            ));
        }
    }

    /// Panics if a reader sees a state between two transactions.
    pub(crate) fn check_total(&self) {
        let total = self.database.number("SELECT coalesce(sum(balance), 0)::bigint FROM accounts");
        assert_eq!(total, ACCOUNTS * BALANCE, "a reader saw a total of half a change");
    }

    /// Panics unless the rows of an archive are one state.
    pub(crate) fn check_rows(rows: &Value) {
        let rows = rows.as_array().unwrap();
        let total: i64 = rows.iter().map(|row| row["balance"].as_i64().unwrap()).sum();
        assert_eq!(
            (rows.len() as i64, total),
            (ACCOUNTS, ACCOUNTS * BALANCE),
            "an archive holds half a change"
        );
    }

    /// Ends the connections of others that are in a transaction or idle, as a failing server does.
    pub(crate) fn sever(&self) {
        self.database.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = '{}'",
            self.role
        ));
    }

    /// Connections of the backup service that are in a transaction, or hold an advisory lock.
    pub(crate) fn busy_connections(&self) -> i64 {
        let transactions = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = '{}' AND xact_start IS NOT NULL",
            self.role
        );
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.database.number(&transactions) + self.database.number(locks)
    }

    /// Tables of ours beside the application's.
    pub(crate) fn our_tables(&self) -> i64 {
        self.database.number(
            "SELECT count(*) FROM pg_class WHERE relnamespace IN
             (SELECT oid FROM pg_namespace WHERE nspname LIKE 'strongroom%') AND relkind = 'r'",
        )
    }
}
