use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _};
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{Limits, ManifestHead};
use strongroom_runtime::client::{Bearer, Target};
use strongroom_store::Engine;
use strongroom_tables::SnapshotOptions;
use strongroom_testkit::TestDb;
use strongroom_testkit::archives::{head, writer};

use super::*;
use crate::drills::scratch::name_of;
use crate::incoming::{Allowance, MemoryLimits, Opened, open, staged};
use crate::restore::{NotRestored, databases};
use crate::vault_client::VaultClient;

const CANARY_TEXT: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// People, and orders that refer to them; one reference may dangle.
struct Sample {
    kind: &'static str,
    orders: &'static [&'static str],
}

impl Sample {
    fn schemas(&self) -> [TableSchema; 2] {
        let is_sqlite = self.kind == "sqlite";
        let (id, text) = if is_sqlite { ("INTEGER", "TEXT") } else { ("bigint", "text") };
        let namespace = if is_sqlite { "" } else { "public" };
        let definition =
            if is_sqlite { "" } else { "FOREIGN KEY (person) REFERENCES public.people(id) NOT VALID" };
        let table = |name: &str, second: &str, of_second: &str, keys: serde_json::Value| {
            let references = if name == "orders" { " REFERENCES people (id)" } else { "" };
            let own = format!("CREATE TABLE {name} (id {id} PRIMARY KEY, {second} {of_second}{references})");
            let key = serde_json::json!({
                "name": format!("{name}_pkey"), "kind": "primary-key", "columns": ["id"],
                "definition": "PRIMARY KEY (id)",
            });
            let constraints = if is_sqlite { Vec::new() } else { vec![key] };
            let mut schema = serde_json::json!({
                "name": name, "source": "main", "engine": self.kind, "table": name, "namespace": namespace,
                "columns": [
                    {"name": "id", "type": id, "nullable": false},
                    {"name": second, "type": of_second, "nullable": true},
                ],
                "primary_key": ["id"],
                "constraints": constraints,
                "foreign_keys": keys,
            });
            if is_sqlite {
                schema["sql"] = own.into();
            }
            serde_json::from_value(schema).unwrap()
        };
        let key = serde_json::json!([{
            "name": "orders_person", "columns": ["person"], "references": {"namespace": namespace, "table": "people"},
            "referenced_columns": ["id"], "on_delete": "no action", "on_update": "no action", "match": "simple",
            "definition": definition,
        }]);
        [table("people", "name", text, serde_json::json!([])), table("orders", "person", id, key)]
    }

    /// The sample as an archive.
    fn archive(&self) -> Vec<u8> {
        let [people, orders] = self.schemas();
        let mut archive = writer();
        for (schema, rows) in
            [(&orders, self.orders), (&people, &[r#"{"id":1,"name":"Ada"}"#, r#"{"id":2,"name":null}"#][..])]
        {
            archive.write_schema(schema).unwrap();
            archive.start_table(schema, None).unwrap();
            rows.iter().for_each(|row| archive.write_rows(row.as_bytes(), 1).unwrap());
            archive.finish_table().unwrap();
        }
        archive.write_canary(CANARY_TEXT).unwrap();
        let kind = if self.kind == "sqlite" { Snapshot::ReadTransaction } else { Snapshot::RepeatableRead };
        let sources = vec![SourceRecord::new("main", self.kind, "test", kind)];
        archive.finish(ManifestHead { sources, ..head(Vec::new()) }).unwrap().1
    }
}

async fn opened(bytes: &[u8]) -> Archive {
    let staged = staged(bytes.to_vec()).await;
    let target = Target { url: "http://127.0.0.1:1".to_owned(), ..Target::default() };
    let vault = VaultClient::create(&target, &Bearer::new("srt_none").unwrap()).unwrap();
    let memory = MemoryLimits { row: Limits::V1.row_bytes, manifest: 1 << 20 };
    let allowance = Allowance::create(Duration::from_secs(60), 0);
    let Opened { archive, .. } = open(staged.file, &vault, memory, allowance, ()).await.unwrap().unwrap();
    archive
}

/// The sample in its own scratch database.
struct Filled {
    sample: Sample,
    part: Part,
    scratch: Scratch,
    _place: (TestDb, tempfile::TempDir),
}

impl Filled {
    async fn of(sample: Sample, place: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = match place.file() {
            Some(_) => DatabaseUrl::sqlite_file(folder.path()).unwrap(),
            None => place.url(),
        };
        let id = uuid::Uuid::now_v7().to_string();
        let scratch = Scratch::create(&at, &name_of(&id), (Some("UTF8"), None)).await.unwrap();
        let archive = opened(&sample.archive()).await;
        let records = archive.manifest().sources.clone();
        let part = databases(archive, records).await.unwrap().remove(0);
        if let Err(NotRestored::Refused(problem)) =
            part.fill(opened(&sample.archive()).await, scratch.url(), &id).await
        {
            panic!("{problem}");
        }
        Self { sample, part, scratch, _place: (place, folder) }
    }

    /// Changes the restored data.
    async fn change(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.scratch.url().engine() {
            Engine::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
                let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Engine::Postgres(options) => {
                let mut connection = sqlx::PgConnection::connect_with(options).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    async fn compared(&self, known: &[(&str, i64)]) -> (Finding, Finding) {
        let known = known.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect();
        let archive = opened(&self.sample.archive()).await;
        let compared = compare(archive, &self.part, self.scratch.url(), &known).await.unwrap();
        (compared.rows, compared.digests)
    }
}

/// One for each available engine.
fn samples(orders: &'static [&'static str]) -> Vec<(Sample, TestDb)> {
    let kind = |db: &TestDb| if db.file().is_some() { "sqlite" } else { "postgres" };
    TestDb::each().into_iter().map(|db| (Sample { kind: kind(&db), orders }, db)).collect()
}

const ORDERS: &[&str] = &[r#"{"id":10,"person":1}"#, r#"{"id":11,"person":2}"#, r#"{"id":12,"person":null}"#];

fn failed(finding: &Finding, text: &str) {
    assert!(matches!(finding, Finding::Failed(_, problem) if problem.contains(text)), "{finding:?} {text}");
}

#[tokio::test]
async fn what_comes_back_as_it_was_passes() {
    for (sample, db) in samples(ORDERS) {
        let filled = Filled::of(sample, db).await;
        let fine = Finding::Passed("2 tables, 5 rows".into());
        let found = filled.compared(&[("people", 2), ("orders", 3)]).await;
        assert_eq!(found, (fine.clone(), fine));
        assert!(matches!(foreign_keys(&filled.part, &filled.scratch).await.unwrap(), Finding::Passed(_)));
        filled.scratch.remove().await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_are_missing_doubled_or_changed_are_found() {
    for (sample, db) in samples(ORDERS) {
        let filled = Filled::of(sample, db).await;
        for (change, back, of_rows) in [
            ("DELETE FROM orders", "INSERT INTO orders VALUES (10, 1), (11, 2), (12, NULL)", true),
            ("INSERT INTO people VALUES (3, 'Eve')", "DELETE FROM people WHERE id = 3", true),
            (
                "UPDATE people SET name = 'ada' WHERE id = 1",
                "UPDATE people SET name = 'Ada' WHERE id = 1",
                false,
            ),
            ("UPDATE people SET name = '' WHERE id = 2", "UPDATE people SET name = NULL WHERE id = 2", false),
            ("ALTER TABLE people RENAME TO others", "ALTER TABLE others RENAME TO people", true),
            (
                "ALTER TABLE people RENAME COLUMN name TO other",
                "ALTER TABLE people RENAME COLUMN other TO name",
                true,
            ),
        ] {
            filled.change(change).await;
            let (rows, digests) = filled.compared(&[]).await;
            assert_eq!(matches!(rows, Finding::Failed(..)), of_rows, "{change}: {rows:?}");
            failed(&digests, "does not come back");
            filled.change(back).await;
            let (rows, digests) = filled.compared(&[]).await;
            assert!(matches!((rows, digests), (Finding::Passed(_), Finding::Passed(_))), "{back}");
        }
        let (rows, digests) = filled.compared(&[("orders", 4)]).await;
        failed(&rows, "table orders had 4 rows when the backup was made, and has 3 now");
        assert!(matches!(digests, Finding::Passed(_)));
        filled.scratch.remove().await.unwrap();
    }
}

/// Also if the database does not check it itself.
#[tokio::test]
async fn a_foreign_key_that_leads_nowhere_is_found() {
    for (sample, db) in samples(ORDERS) {
        let is_sqlite = sample.kind == "sqlite";
        let filled = Filled::of(sample, db).await;
        // Declared NOT VALID, so that the database does not check it; the declaration decides whether a drill does.
        let unchecked = filled.scratch.follow(&filled.sample.schemas()).await.unwrap();
        assert_eq!((unchecked.checked, unchecked.unchecked), if is_sqlite { (1, 0) } else { (0, 1) });
        let mut schemas = filled.sample.schemas();
        schemas[1].foreign_keys[0].definition.clear();
        if !is_sqlite {
            filled.change("ALTER TABLE orders DROP CONSTRAINT orders_person").await;
        }
        assert!(filled.scratch.follow(&schemas).await.unwrap().dangling.is_empty());
        filled.change("UPDATE orders SET person = 9 WHERE id = 11").await;
        let report = filled.scratch.follow(&schemas).await.unwrap();
        assert_eq!(report.checked, 1);
        let [lost] = report.dangling.as_slice() else { panic!("{report:?}") };
        assert_eq!((&*lost.table, &*lost.to, lost.rows), ("orders", "people", 1));
        if is_sqlite {
            failed(
                &foreign_keys(&filled.part, &filled.scratch).await.unwrap(),
                "1 row of orders refers to missing rows of people",
            );
        }
        filled.scratch.remove().await.unwrap();
    }
}

#[tokio::test]
async fn the_canary_is_that_of_the_archive() {
    let sample = Sample { kind: "sqlite", orders: ORDERS };
    let found = canary(opened(&sample.archive()).await).await.unwrap();
    assert_eq!(found.unwrap(), hex::encode(Sha256::digest(CANARY_TEXT)));
    let without = writer().finish(head(Vec::new())).unwrap().1;
    assert_eq!(canary(opened(&without).await).await.unwrap(), None);
}

#[tokio::test]
async fn a_scratch_database_is_gone_after_it_was_removed() {
    for (sample, db) in samples(ORDERS) {
        let filled = Filled::of(sample, db).await;
        let url = filled.scratch.url().clone();
        filled.scratch.remove().await.unwrap();
        let opened = strongroom_tables::open_snapshot(&url, &SnapshotOptions::new("main")).await;
        assert!(opened.is_err(), "{url}");
    }
}

/// Rows of inheriting tables do not belong to the parent, and references that a key does not enforce are not checked.
#[tokio::test]
async fn keys_are_followed_as_the_database_means_them() {
    for (sample, db) in samples(ORDERS) {
        let filled = Filled::of(sample, db).await;
        if filled.sample.kind == "postgres" {
            filled.change("ALTER TABLE orders DROP CONSTRAINT orders_person; CREATE TABLE children () INHERITS (people); INSERT INTO children VALUES (9, 'a child')").await;
            let mut schemas = filled.sample.schemas();
            schemas[1].foreign_keys[0].definition.clear();
            filled.change("UPDATE orders SET person = 9 WHERE id = 11").await;
            assert_eq!(
                filled.scratch.follow(&schemas).await.unwrap().dangling.len(),
                1,
                "a child is no parent"
            );
            for definition in ["… NOT ENFORCED", "FOREIGN KEY (a, PERIOD b) …"] {
                schemas[1].foreign_keys[0].definition = definition.into();
                let report = filled.scratch.follow(&schemas).await.unwrap();
                assert_eq!((report.checked, report.unchecked), (0, 1), "{definition}");
            }
        } else {
            // In a key of SQLite, a text equals the number that it represents.
            filled.change("CREATE TABLE texts (id TEXT PRIMARY KEY); INSERT INTO texts VALUES ('1');
                CREATE TABLE untyped (id INTEGER PRIMARY KEY, text REFERENCES TEXTS (id)); INSERT INTO untyped VALUES (1, 1)").await;
            let mut schemas = filled.sample.schemas();
            schemas[0].table = "texts".into();
            schemas[1].table = "untyped".into();
            schemas[1].foreign_keys[0].references.table = "TEXTS".into();
            let report = filled.scratch.follow(&schemas).await.unwrap();
            assert_eq!((report.checked, report.dangling.len()), (1, 0));
        }
        filled.scratch.remove().await.unwrap();
    }
}
