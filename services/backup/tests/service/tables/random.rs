//! A dry run reports exactly the changes of the run: random documents over random rows.

use std::collections::BTreeMap;

use strongroom_api::backup::v1::ImportTablesResponse;
use strongroom_testkit::TestDb;

use super::replaced;
use crate::support::database::folder;
use crate::support::tables::{Moving, counts};
use crate::support::{FakeVault, LOGS, Service};

/// Generated with few distinct values, so that keys, unique values and references collide.
const TABLES: &str = "CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE things (id INTEGER PRIMARY KEY, slug TEXT UNIQUE, size INTEGER NOT NULL CHECK (size < 9),
        owner INTEGER REFERENCES owners (id))";

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Rows: key and JSON.
type Rows = Vec<(u64, String)>;

fn owners(dice: &mut Dice) -> Rows {
    let mut row = |id| (id, format!("{{\"id\":{id},\"name\":\"n{}\"}}", dice.below(3)));
    (0..4).map(&mut row).collect()
}

/// Fewer than `most` rows, some of which the table does not accept.
fn things(dice: &mut Dice, most: u64) -> Rows {
    let count = dice.below(most);
    let row = |dice: &mut Dice| {
        let id = dice.below(12);
        let slug = match dice.below(3) {
            0 => "null".to_owned(),
            _ => format!("\"s{}\"", dice.below(30)),
        };
        let size = if dice.below(20) == 0 {
            "null".to_owned()
        } else {
            dice.below(10).min(8 + dice.below(10) / 9).to_string()
        };
        let owner = if dice.below(12) == 0 { "7".to_owned() } else { dice.below(4).to_string() };
        (id, format!("{{\"id\":{id},\"slug\":{slug},\"size\":{size},\"owner\":{owner}}}"))
    };
    (0..count).map(|_| row(dice)).collect()
}

/// Inserts the rows that the database accepts.
fn fill(db: &TestDb, owners: &Rows, things: &Rows) {
    db.run("DELETE FROM things; DELETE FROM owners");
    let sql = |text: &str| text.replace('"', "'");
    for (_, row) in owners {
        let name = row.split("\"name\":").nth(1).unwrap().trim_end_matches('}');
        let id = row.split(['{', ':', ',']).nth(2).unwrap();
        assert!(db.is_accepted(&format!("INSERT INTO owners VALUES ({id}, {})", sql(name))));
    }
    for (_, row) in things {
        let values: Vec<String> = row
            .trim_matches(['{', '}'])
            .split(',')
            .map(|pair| sql(pair.split_once(':').unwrap().1))
            .collect();
        if !values[3].starts_with('7') {
            let _ = db.is_accepted(&format!("INSERT INTO things VALUES ({})", values.join(", ")));
        }
    }
}

fn contents(db: &TestDb) -> BTreeMap<String, String> {
    let gather = if db.file().is_some() { "group_concat" } else { "string_agg" };
    let of = |table: &str, line: &str| {
        db.text(&format!(
            "SELECT coalesce({gather}({line}, ';'), '') FROM (SELECT * FROM {table} ORDER BY id) AS t"
        ))
    };
    let things = of("things", "id || ',' || coalesce(slug, '') || ',' || size || ',' || owner");
    let owners = of("owners", "id || ',' || coalesce(name, '')");
    things
        .split(';')
        .chain(owners.split(';'))
        .filter(|row| !row.is_empty())
        .enumerate()
        .map(|(at, row)| (format!("{at}"), row.to_owned()))
        .collect()
}

/// The answer without the fields that distinguish a run from a dry run.
fn alike(answer: ImportTablesResponse) -> ImportTablesResponse {
    let mut answer = ImportTablesResponse { import_id: String::new(), dry_run: false, ..answer };
    for table in &mut answer.tables {
        table.examples.sort_by(|a, b| (a.change, &a.key).cmp(&(b.change, &b.key)));
    }
    answer
}

async fn compare(db: &TestDb, rounds: u64) {
    db.run(TABLES);
    if db.file().is_some() {
        db.run("PRAGMA journal_mode = WAL");
    }
    let folder = folder().await;
    let file = folder.path().join("shop.url");
    strongroom_testkit::write_private(&file, db.url_text());
    let kind = if db.file().is_some() { "sqlite" } else { "postgres" };
    let (url, file) = (db.url_text(), file.display());
    let source = format!(
        "{LOGS}\n[[sources]]\nname = 'shop'\nkind = '{kind}'\nurl = '{url}'\nrestore_url_file = '{file}'"
    );
    let service = Service::start(folder, FakeVault::start().await, "", &source).await;
    let mut client = Moving::of(&service);
    let (template, _) = client.export(&["owners", "things"]).await.unwrap();
    let (mut done, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut dice = Dice(round);
        let (live_owners, live_things) = (owners(&mut dice), things(&mut dice, 10));
        fill(db, &live_owners, &live_things);
        let lines = |rows: &Rows| {
            format!("\"rows\":[{}]", rows.iter().map(|(_, row)| row.as_str()).collect::<Vec<_>>().join(",\n"))
        };
        let document = replaced(&template, "\"rows\":[]", &lines(&owners(&mut dice)));
        let document = replaced(&document, "\"rows\":[]", &lines(&things(&mut dice, 5)));
        let before = contents(db);
        let dry = client.import(&document, true).await.unwrap();
        assert_eq!(contents(db), before, "round {round}: a dry run changes nothing");
        let run = client.import(&document, false).await.unwrap();
        assert_eq!(alike(run.clone()), alike(dry), "round {round}: {}", String::from_utf8_lossy(&document));
        let after = contents(db);
        if !run.refusals.is_empty() {
            assert_eq!(after, before, "round {round}");
            refused += 1;
            continue;
        }
        done += 1;
        let created: i64 = run.tables.iter().map(|table| table.created).sum();
        assert_eq!(after.len() as i64, before.len() as i64 + created, "round {round}");
        assert!(before.values().all(|row| after.values().any(|other| other == row)), "round {round}");
        let again = client.import(&document, false).await.unwrap();
        assert!(
            counts(&again)
                .iter()
                .all(|(_, [rows, created, kept, conflicts])| *created == 0 && rows == &(kept + conflicts)),
            "{again:?}"
        );
        assert_eq!(contents(db), after, "round {round}: the second time changes nothing");
    }
    assert!(done > rounds / 5 && refused > rounds / 5, "{done} were done and {refused} refused");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_does_what_its_dry_run_says() {
    compare(&TestDb::sqlite(), 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_does_what_its_dry_run_says() {
    let Some(db) = TestDb::postgres() else { return };
    compare(&db, 40).await;
}
