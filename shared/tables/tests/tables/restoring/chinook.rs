//! Chinook, a well-known example database, is copied from one database into an empty one, on both engines: every table has
//! the same digest afterwards.
//!
//! Its rows come from a package that `TEST_CHINOOK` names (see `tests/packages.sh`); its schema is written here, with the
//! package's names.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection};
use strongroom_tables::load::{Mode, Wanted};

use crate::database::{create_sqlite, run_sqlite};
use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, servers};
use crate::restoring::restore::restore;

/// Each table comes after those that it references.
const TABLES: [(&str, &str); 11] = [
    ("artist", "id integer PRIMARY KEY, name varchar(120)"),
    ("album", "id integer PRIMARY KEY, title varchar(160) NOT NULL, artist integer NOT NULL REFERENCES artist (id)"),
    (
        "employee",
        "id integer PRIMARY KEY, lastname varchar(20) NOT NULL, firstname varchar(20) NOT NULL, title varchar(30),
         reports_to integer REFERENCES employee (id), birthdate timestamp, hiredate timestamp, address varchar(70),
         city varchar(40), state varchar(40), country varchar(40), postalcode varchar(10), phone varchar(24),
         fax varchar(24), email varchar(60)",
    ),
    (
        "customer",
        "id integer PRIMARY KEY, firstname varchar(40) NOT NULL, lastname varchar(20) NOT NULL, company varchar(80),
         address varchar(70), city varchar(40), state varchar(40), country varchar(40), postalcode varchar(10),
         phone varchar(24), fax varchar(24), email varchar(60) NOT NULL, support_rep integer REFERENCES employee (id)",
    ),
    ("genre", "id integer PRIMARY KEY, name varchar(120)"),
    ("mediatype", "id integer PRIMARY KEY, name varchar(120)"),
    ("playlist", "id integer PRIMARY KEY, name varchar(120)"),
    (
        "track",
        "id integer PRIMARY KEY, name varchar(200) NOT NULL, album integer REFERENCES album (id),
         mediatype integer NOT NULL REFERENCES mediatype (id), genre integer REFERENCES genre (id), composer varchar(220),
         milliseconds integer NOT NULL, bytes integer, unit_price numeric(10,2) NOT NULL",
    ),
    (
        "invoice",
        "id integer PRIMARY KEY, customer integer NOT NULL REFERENCES customer (id), invoicedate timestamp NOT NULL,
         billingaddress varchar(70), billingcity varchar(40), billingstate varchar(40), billingcountry varchar(40),
         billingpostalcode varchar(10), total numeric(10,2) NOT NULL",
    ),
    (
        "invoiceline",
        "id integer PRIMARY KEY, invoice integer NOT NULL REFERENCES invoice (id),
         track integer NOT NULL REFERENCES track (id), unit_price numeric(10,2) NOT NULL, quantity integer NOT NULL",
    ),
    (
        "playlisttrack",
        "playlist integer NOT NULL REFERENCES playlist (id), track integer NOT NULL REFERENCES track (id),
         PRIMARY KEY (playlist, track)",
    ),
];
/// Total number of rows in all tables.
const ROWS: usize = 15_607;

#[tokio::test]
async fn chinook_comes_back_in_postgres() {
    let Some(rows) = rows() else { return };
    for (server, name) in servers() {
        let Some(old) = Owned::create(server, &format!("chinook_{name}")).await else { return };
        old.run(&made()).await;
        for (table, rows) in &rows {
            let sql = format!(
                "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)"
            );
            let mut connection = old.connect().await;
            sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut connection).await.unwrap();
        }
        let archive = Archive::of(&old.url).await;
        for creates in [false, true] {
            let new = Owned::create(server, &format!("chinook_again_{name}")).await.unwrap();
            if !creates {
                new.run(&made()).await;
            }
            comes_back(&new.url, &archive, creates).await;
            new.drop().await;
        }
        old.drop().await;
    }
}

#[tokio::test]
async fn chinook_comes_back_in_sqlite() {
    let Some(rows) = rows() else { return };
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    let mut connection = create_sqlite(&old).await;
    run_sqlite(&mut connection, &made()).await;
    for (table, rows) in &rows {
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let values: Vec<String> = columns.iter().map(|column| format!("value ->> '{column}'")).collect();
        let sql = format!("INSERT INTO {table} SELECT {} FROM json_each(?)", values.join(", "));
        sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let archive = Archive::of(&format!("sqlite:{}", old.display())).await;
    for creates in [false, true] {
        let new = folder.path().join(format!("new_{creates}.db"));
        let mut connection = create_sqlite(&new).await;
        let made = if creates { String::new() } else { made() };
        run_sqlite(&mut connection, &format!("PRAGMA journal_mode = wal; {made}")).await;
        connection.close().await.unwrap();
        comes_back(&format!("sqlite:{}", new.display()), &archive, creates).await;
    }
}

async fn comes_back(url: &str, archive: &Archive, create_tables: bool) {
    assert_eq!(archive.tables.iter().map(|table| table.rows.len()).sum::<usize>(), ROWS);
    let wanted = Wanted { create_tables, ..archive.wanted(Mode::IntoEmpty) };
    restore(url, archive, &wanted).await.unwrap();
    assert_eq!(digests(&Archive::of(url).await), digests(archive));
}

/// A digest of each table's rows in export order.
fn digests(archive: &Archive) -> Vec<(String, String)> {
    let digest = |rows: &[String]| hex::encode(Sha256::digest(rows.join(",\n")));
    archive.tables.iter().map(|table| (table.schema.name.clone(), digest(&table.rows))).collect()
}

fn made() -> String {
    TABLES.iter().map(|(table, columns)| format!("CREATE TABLE {table} ({columns});\n")).collect()
}

/// The rows of each table as one JSON array of objects. `None`, with a message, if the package is missing.
fn rows() -> Option<Vec<(&'static str, String)>> {
    let Some(path) = std::env::var_os("TEST_CHINOOK") else {
        assert!(std::env::var_os("CI").is_none(), "TEST_CHINOOK names no file: tests/run brings it");
        eprintln!("skipped: TEST_CHINOOK names no file, and tests/run brings it");
        return None;
    };
    let entries: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let of = |table: &str| -> Vec<Map<String, Value>> {
        let model = format!("chinook.{table}");
        entries.iter().filter(|entry| entry["model"] == *model).map(row).collect()
    };
    Some(TABLES.iter().map(|(table, _)| (*table, serde_json::to_string(&of(table)).unwrap())).collect())
}

/// The row with its key, which the package stores separately from the other values.
fn row(entry: &Value) -> Map<String, Value> {
    let mut row = entry["fields"].as_object().unwrap().clone();
    row.insert("id".to_owned(), entry["pk"].clone());
    row
}
