//! The tables: a gateway's log with three indexes and a foreign key, and the keys that it references, owned by an
//! unprivileged role.

use strongroom_testkit::TestDb;

use crate::export::fill_postgres;

/// Owner of the tables.
pub(super) const OWNER: &str = "strongroom_bench_owner";

const MORE: &str = "
    CREATE TABLE api_keys (id integer PRIMARY KEY, name text NOT NULL);
    INSERT INTO api_keys SELECT n, 'key ' || n FROM generate_series(0, 999) n;
    ALTER TABLE gateway_logs ADD FOREIGN KEY (api_key_id) REFERENCES api_keys;
    CREATE INDEX by_time ON gateway_logs (created_at);
    CREATE INDEX by_key ON gateway_logs (api_key_id, created_at);
    CREATE INDEX by_endpoint ON gateway_logs (endpoint, model);
    VACUUM (FREEZE, ANALYZE) gateway_logs;
";

pub(super) async fn create(database: &TestDb, rows: u64) {
    fill_postgres(database, rows).await;
    for statement in MORE.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        database.run(statement);
    }
    let name = database.url_text().rsplit_once('/').unwrap().1.to_owned();
    for statement in [
        format!("DO $$ BEGIN CREATE ROLE {OWNER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"),
        format!("GRANT SET ON PARAMETER session_replication_role TO {OWNER}"),
        format!("GRANT CREATE ON DATABASE \"{name}\" TO {OWNER}"),
        format!("GRANT CREATE ON SCHEMA public TO {OWNER}"),
        format!("ALTER TABLE gateway_logs OWNER TO {OWNER}"),
        format!("ALTER TABLE api_keys OWNER TO {OWNER}"),
    ] {
        database.run(&statement);
    }
    database.run("CHECKPOINT");
}

pub(super) fn empty(database: &TestDb) {
    database.run("TRUNCATE gateway_logs, api_keys");
    database.run("CHECKPOINT");
}

/// Changes a hundredth of the rows: half of them updated, a quarter removed, a quarter new.
pub(super) fn change(database: &TestDb, rows: u64, round: usize) {
    let round = round % 50;
    for statement in [
        format!("UPDATE gateway_logs SET status = 599 WHERE id % 200 = {round}"),
        format!("DELETE FROM gateway_logs WHERE id % 400 = {}", round + 100),
        format!(
            "INSERT INTO gateway_logs SELECT id + {rows}, created_at, request_id, api_key_id, endpoint, model, status, latency_ms,
                    prompt_tokens, completion_tokens, cost, cached, metadata, prompt
             FROM gateway_logs WHERE id % 400 = {} AND id <= {rows}",
            round + 200
        ),
    ] {
        database.run(&statement);
    }
    database.run("VACUUM ANALYZE gateway_logs");
    database.run("CHECKPOINT");
}
