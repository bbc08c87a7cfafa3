//! `strongroom drill …` with the two real services.

use serde_json::json;
use strongroom_testkit::TestDb;

use super::{Storing, id_of};

#[test]
fn a_drill_prints_what_it_checked_and_its_exit_code_says_how_it_went() {
    let storing = Storing::in_folders(&["local"]);
    let admin = storing.admin();
    let none = admin.run(&["drill", "run"]).failed_with(1);
    assert!(none.contains("`strongroom backup create` makes one [NO_BACKUP]"), "{none}");
    assert_eq!(admin.json(&["drill", "list"]), json!([]));
    let first = storing.create();
    let passed = admin.run(&["drill", "run"]).succeeded();
    let text = passed.text();
    for line in ["state: passed", "CHECK", "digests", "1 table, 1 row", "is verified, not restored"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let begun = admin.json(&["drill", "run", &first, "--no-wait"]);
    assert_eq!((&begun["state"], &begun["backupId"]), (&json!("DRILL_STATE_RUNNING"), &json!(first)));

    storing.gateway.run("PRAGMA foreign_keys = OFF; CREATE TABLE owned (id INTEGER PRIMARY KEY, server INTEGER REFERENCES servers (id)); INSERT INTO owned VALUES (1, 7)");
    let id = storing.create();
    let failed = admin.run(&["drill", "run", &id]);
    let said = failed.failed_with(1);
    assert!(
        said.contains(
            "the drill has failed: references: 1 value of \"server\" in \"owned\" is in no row of \"servers\""
        ),
        "{said}"
    );
    assert!(said.contains("[DRILL_FAILED]"), "{said}");
    let drills = admin.json(&["drill", "list"]);
    let ids: Vec<&str> =
        drills.as_array().unwrap().iter().map(|drill| drill["id"].as_str().unwrap()).collect();
    assert_eq!(
        (ids.len(), &drills[0]["backupId"], &drills[0]["state"]),
        (3, &json!(id), &json!("DRILL_STATE_FAILED"))
    );
    let shown = admin.run(&["drill", "get", ids[0]]).succeeded();
    assert!(shown.text().contains("1 row of owned refers to missing rows of servers"), "{}", shown.text());

    let unknown = admin.run(&["drill", "get", &first]).failed_with(1);
    assert!(
        unknown.contains("`strongroom drill list` lists those that exist [DRILL_NOT_FOUND]"),
        "{unknown}"
    );
    let no_id = admin.run(&["drill", "run", "newest"]).failed_with(2);
    assert!(no_id.contains("expected a UUID; see `strongroom backup list`"), "{no_id}");
    let denied = admin.issue("backup-creator").run(&["drill", "run"]).failed_with(1);
    assert!(denied.contains("backup.verify"), "{denied}");
    let auditor = admin.issue("auditor");
    assert_eq!(auditor.json(&["drill", "list"]).as_array().unwrap().len(), 3);
    let events = admin.events("backup.drilled");
    assert_eq!(events.len(), 3, "{events:?}");
}

/// Types, partitions, generated and identity columns, an extension and a view are restored into a separate database,
/// which is then dropped.
#[test]
fn a_database_of_postgresql_is_drilled_on_a_scratch_server() {
    let Some(shop) = TestDb::postgres() else { return };
    shop.run(
        "CREATE EXTENSION IF NOT EXISTS citext;
         CREATE TYPE mood AS ENUM ('fine', 'so-so');
         CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email citext UNIQUE, mood mood, data jsonb);
         CREATE TABLE orders (id serial PRIMARY KEY, person bigint NOT NULL REFERENCES people,
             price numeric(12, 2), twice numeric GENERATED ALWAYS AS (price * 2) STORED, at timestamptz);
         CREATE TABLE logs (at date, text text) PARTITION BY RANGE (at);
         CREATE TABLE logs_old PARTITION OF logs FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
         CREATE TABLE logs_new PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
         CREATE VIEW rich AS SELECT person, sum(price) FROM orders GROUP BY person;
         INSERT INTO people (email, mood, data) SELECT 'P' || i || '@example.com', 'fine', jsonb_build_object('n', i) FROM generate_series(1, 2000) i;
         INSERT INTO orders (person, price, at) SELECT i, i / 3.0, 'epoch'::timestamptz + i * interval '1 hour' FROM generate_series(1, 2000) i;
         INSERT INTO logs SELECT '2024-12-30'::date + i % 4, repeat('x', i % 50) FROM generate_series(1, 500) i",
    );
    // The role can create databases and do nothing else.
    let role = format!("drill_{}", shop.url_text().rsplit('_').next().unwrap());
    shop.run(&format!("CREATE ROLE {role} LOGIN CREATEDB"));
    let (_, host) = shop.url_text().split_once('@').unwrap();
    let server = format!("postgres://{role}@{}/postgres", host.split('/').next().unwrap());
    let sources =
        format!("[[sources]]\nname = \"shop\"\nkind = \"postgres\"\nurl = \"{}\"\n", shop.url_text());
    let parts = (TestDb::sqlite(), TestDb::sqlite(), tempfile::tempdir().unwrap());
    let storing = Storing::of(&sources, parts, &["local"]);
    let _ = storing.create();
    let nowhere = storing.admin().run(&["drill", "run"]).failed_with(1);
    assert!(
        nowhere.contains("source shop is a database of PostgreSQL") && nowhere.contains("set scratch_url"),
        "{nowhere}"
    );
    let create = ["schedule", "create", "drilled", "--cron", "@daily", "--drill-every", "30d"];
    assert!(storing.admin().run(&create).failed_with(1).contains("[NO_SCRATCH]"));
    drop(storing);

    let parts = (TestDb::sqlite(), TestDb::sqlite(), tempfile::tempdir().unwrap());
    let url = parts.2.path().join("scratch.url");
    strongroom_testkit::write_private(&url, &server);
    let drill = format!("{sources}\n[drill]\nscratch_url_file = \"{}\"\n", url.display());
    let storing = Storing::with_drill(&drill, parts, &["local"]);
    let id = storing.create();
    let drill = storing.admin().json(&["drill", "run", &id]);
    assert_eq!((&drill["state"], &drill["rows"]), (&json!("DRILL_STATE_PASSED"), &json!("4500")), "{drill}");
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'strongroom\\_drill\\_' || replace('ID', '-', '')";
    assert_eq!(shop.number(&left.replace("ID", &id_of(&drill))), 0, "it is dropped");
    shop.run(&format!("DROP ROLE {role}"));
}
