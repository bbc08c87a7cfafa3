//! Selected tables moved from one deployment to another with the real command: SQLite and PostgreSQL, twice, and
//! Gatwy's export.

use e2e::{Deployment, repository};
use serde_json::{Value, json};
use strongroom_testkit::TestDb;

const TABLES: &str = "
    CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE members (id INTEGER PRIMARY KEY, team INTEGER REFERENCES teams (id), note TEXT);
";
const ROWS: &str = "
    INSERT INTO teams VALUES (1, 'one'), (2, 'a \"quoted\" name'), (3, 'é');
    INSERT INTO members VALUES (1, 1, NULL), (2, 3, 'x');
";
const GATWY: &str = "
    CREATE TABLE connection_groups (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, parent_id TEXT, sort_order INTEGER);
    CREATE TABLE connections (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, protocol TEXT, host TEXT, port INTEGER,
        username TEXT, group_id TEXT, shared BOOLEAN);
";

struct Site {
    deployment: Deployment,
    database: TestDb,
    _vault_database: TestDb,
    _folder: tempfile::TempDir,
}

fn site(database: TestDb, rows: &str) -> Site {
    if database.file().is_some() {
        database.run("PRAGMA journal_mode = WAL");
    }
    database.run(&format!("{TABLES}{GATWY}{rows}"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.url");
    strongroom_testkit::write_private(&file, database.url_text());
    let kind = if database.file().is_some() { "sqlite" } else { "postgres" };
    let section = format!(
        "[[sources]]\nname = \"gateway\"\nkind = \"{kind}\"\nurl = \"{}\"\nrestore_url_file = \"{}\"\n\n",
        database.url_text(),
        file.display()
    );
    let vault_database = TestDb::sqlite();
    let deployment = Deployment::start(vault_database.url_text(), &section);
    Site { deployment, database, _vault_database: vault_database, _folder: folder }
}

fn counts(answer: &Value) -> Vec<[i64; 4]> {
    // Proto3 JSON: 64-bit integers are strings, and 0 is omitted.
    let number = |value: &Value| value.as_str().map_or(0, |text| text.parse().unwrap());
    let tables = answer["tables"].as_array().unwrap();
    tables
        .iter()
        .map(|table| ["rows", "created", "kept", "conflicts"].map(|field| number(&table[field])))
        .collect()
}

fn moves(from: TestDb, to: TestDb) {
    let (from, to) = (site(from, ROWS), site(to, "INSERT INTO teams VALUES (1, 'changed')"));
    let document = from.deployment.path("tables.json");
    let document = document.to_str().unwrap();
    let admin = &from.deployment.admin;
    let exported = admin.json(&["tables", "export", "--tables", "teams,members", "--out", document]);
    assert_eq!(exported["tables"].as_array().unwrap().len(), 2, "{exported}");
    let text: Value = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
    assert_eq!(
        (&text["strongroom_tables"], &text["tables"]["teams"]["rows"][2]["name"]),
        (&json!(1), &json!("é"))
    );
    let export = ["tables", "export", "--tables", "teams", "--out", "-"];
    assert_eq!(admin.run(&export).succeeded().json()["strongroom_tables"], 1);
    let denied = admin.issue("operator").run(&export).failed_with(1);
    assert!(denied.contains("tables.export"), "{denied}");

    let operator = to.deployment.admin.issue("operator");
    let import = |more: &[&str]| operator.json(&[&["tables", "import", document], more].concat());
    let rows = || {
        to.database.number("SELECT count(*) FROM teams") + to.database.number("SELECT count(*) FROM members")
    };
    let dry = import(&["--dry-run"]);
    let (members, teams) = ([2, 2, 0, 0], [3, 2, 0, 1]);
    assert_eq!(counts(&dry), [members, teams], "{dry}");
    assert_eq!((rows(), &dry["dryRun"]), (1, &json!(true)));
    assert_eq!(counts(&import(&[])), [members, teams]);
    assert_eq!(rows(), 5);
    assert_eq!(to.database.text("SELECT name FROM teams WHERE id = 1"), "changed");
    let said = operator.feed(&["tables", "import", "-"], &std::fs::read(document).unwrap()).succeeded();
    let said = said.text();
    assert!(said.contains("CONFLICTS") && said.contains("teams: in conflict [\"1\"]"), "{said}");
    assert_eq!(counts(&import(&[])), [[2, 0, 2, 0], [3, 0, 2, 1]]);
    assert_eq!(to.deployment.admin.events("tables.imported").len(), 4);

    let gatwy = repository().join("shared/import/tests/gatwy-connections.json");
    let gatwy = gatwy.to_str().unwrap();
    for created in [4, 0] {
        let done = operator.json(&["tables", "import", gatwy]);
        assert_eq!(counts(&done), [[4, created, 4 - created, 0]; 2], "{done}");
    }
    let members = from.deployment.admin.run(&["tables", "export", "--tables", "members", "--out", "-"]);
    refused(&to, &members.succeeded().text());
}

/// Exit code 1, the reason on standard error, and no change.
fn refused(to: &Site, text: &str) {
    let admin = &to.deployment.admin;
    to.database.run("DELETE FROM members");
    let dangling = text.replace("\"team\":3", "\"team\":9");
    let said = admin.feed(&["tables", "import", "-", "--dry-run"], dangling.as_bytes()).failed_with(1);
    assert!(said.contains("DANGLING_REFERENCE"), "{said}");
    let said = admin.feed(&["tables", "import", "-"], &text.as_bytes()[..text.len() / 2]).failed_with(1);
    assert!(said.contains("ends early"), "{said}");
    assert_eq!(to.database.number("SELECT count(*) FROM members"), 0);
}

#[test]
fn tables_move_from_sqlite_to_sqlite() {
    moves(TestDb::sqlite(), TestDb::sqlite());
}

#[test]
fn tables_move_from_sqlite_to_postgres_and_back() {
    let Some(postgres) = TestDb::postgres() else { return };
    moves(TestDb::sqlite(), postgres);
}
