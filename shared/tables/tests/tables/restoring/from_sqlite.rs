//! Restores from SQLite into PostgreSQL.

use strongroom_tables::load::{Mode, Wanted};

use crate::database::{create_sqlite, run_sqlite};
use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, PLAIN};
use crate::restoring::restore::{restore, target};

const SHOP: &str = "
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(10) NOT NULL DEFAULT 'no''body', mail TEXT UNIQUE, photo BLOB, weight REAL,
    active BOOLEAN DEFAULT 1, born DATE, seen DATETIME DEFAULT CURRENT_TIMESTAMP, money DECIMAL(10,2), more JSON, key UUID,
    small TINYINT(1), upper TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL, guess INTEGER DEFAULT (random())
);
CREATE TABLE orders (person INTEGER NOT NULL REFERENCES people, line INT, note CLOB, PRIMARY KEY (person, line)) WITHOUT ROWID;
CREATE INDEX notes ON orders (note);
INSERT INTO people (id, name, mail, photo, weight, active, born, seen, money, more, key, small) VALUES
    (1, 'a', 'a@x', x'00ff5c', 1.5, 1, '2024-02-29', '2024-02-29 12:34:56.5', 12.5, '{\"b\": [1]}',
     x'000102030405060708090a0b0c0d0e0f', 7),
    (9223372036854775806, 'long \\ and' || char(9) || char(10) || 'é', NULL, x'', 9e999, 0, NULL, NULL, 7, NULL,
     'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL);
INSERT INTO orders VALUES (1, 1, 'x'), (1, 2, NULL);
UPDATE sqlite_sequence SET seq = 77 WHERE name = 'people';
";

async fn archive_of(sql: &str) -> Archive {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let mut connection = create_sqlite(&path).await;
    run_sqlite(&mut connection, sql).await;
    Archive::of(&format!("sqlite:{}", path.display())).await
}

fn creating(archive: &Archive) -> Wanted {
    Wanted { create_tables: true, ..archive.wanted(Mode::IntoEmpty) }
}

#[tokio::test]
async fn tables_are_created_and_values_come_back() {
    let Some(new) = Owned::create(PLAIN, "from_sqlite").await else { return };
    let archive = archive_of(&SHOP.replace("9223372036854775806", "60")).await;
    restore(&new.url, &archive, &creating(&archive)).await.unwrap();
    let printed = new
        .values(
            "SELECT concat_ws('|', id, name, mail, photo, weight, active, born, seen AT TIME ZONE 'UTC', money, more, key, small, upper)
             FROM people ORDER BY id",
        )
        .await;
    assert_eq!(
        printed,
        [
            "1|a|a@x|\\x00ff5c|1.5|t|2024-02-29|2024-02-29 12:34:56.5|12.5|{\"b\": [1]}|00010203-0405-0607-0809-0a0b0c0d0e0f|7|A",
            "60|long \\ and\t\né|\\x|Infinity|f|7|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|LONG \\ AND\t\né",
        ]
    );
    new.run("INSERT INTO people DEFAULT VALUES").await;
    assert_eq!(
        new.values("SELECT concat_ws('|', id, name, active) FROM people WHERE id > 60").await,
        ["78|no'body|t"]
    );
    for broken in [
        "INSERT INTO orders VALUES (999, 1)",
        "INSERT INTO orders VALUES (1, 1)",
        "INSERT INTO people (mail) VALUES ('a@x')",
        "INSERT INTO people (name) VALUES (NULL)",
    ] {
        new.fails(broken).await;
    }
    new.drop().await;
}

#[tokio::test]
async fn what_has_no_counterpart_is_refused_by_column() {
    let Some(new) = Owned::create(PLAIN, "no_counterpart").await else { return };
    let archive = archive_of(&format!("{SHOP} CREATE TABLE odd (a INTEGER, anything, b GEOMETRY)")).await;
    let mut looking = target(&new.url).await;
    let found = looking.inspect(&creating(&archive)).await.unwrap();
    looking.close().await;
    let refused: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("anything") && refused[1].contains("GEOMETRY"), "{refused:?}");
    let all = found.warnings.join("\n");
    for left_out in [
        "index notes of table orders",
        "column upper of table people",
        "default of column guess of table people",
    ] {
        assert!(all.contains(left_out), "{left_out} in\n{all}");
    }

    let archive = archive_of("CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), ('no number', 'x'), (3, 'x' || char(0))").await;
    let error = restore(&new.url, &archive, &creating(&archive)).await.unwrap_err();
    assert!(error.to_string().starts_with("row 3 of table t: column b cannot take its value: "), "{error}");
    new.drop().await;
}
