//! A database is read, recreated from schema entries and rows alone, and compared by the engine itself.
//!
//! The PostgreSQL half needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases may be created.

use crate::database::{FreshDatabase, create_sqlite, run_sqlite};
use crate::loader;
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{SnapshotOptions, list_tables};

#[tokio::test]
async fn postgres_loads_back_to_equal_values() {
    let Some(original) = FreshDatabase::create("fidelity").await else { return };
    let copy = FreshDatabase::create("fidelity_copy").await.unwrap();
    original.run(include_str!("fixtures/odd.postgres.sql")).await;

    let options = SnapshotOptions::new("odd");
    let export = loader::export(&DatabaseUrl::parse(&original.url).unwrap(), &options).await;
    assert!(export.engine.starts_with("PostgreSQL "));
    assert_eq!(export.kind, "repeatable-read");
    assert_eq!(export.skipped, ["a_matview"]);
    assert_eq!(export.tables.len(), 27, "{:?}", names(&export.tables));
    let events = &export.tables.iter().find(|(table, _)| table.name == "events").unwrap();
    assert_eq!((events.0.partition_key.as_deref(), events.1.len()), (Some("RANGE (at)"), 4));

    let (mut old, mut new) = (original.connect().await, copy.connect().await);
    loader::postgres::load(&mut new, &export).await;
    for (table, rows) in &export.tables {
        let expected = loader::postgres::printed(&mut old, table, table.partition_key.is_some()).await;
        assert_eq!(expected.len(), rows.len(), "{}", table.name);
        assert_eq!(loader::postgres::printed(&mut new, table, true).await, expected, "{}", table.name);
    }
    let again = list_tables(&DatabaseUrl::parse(&copy.url).unwrap(), &options).await.unwrap();
    let plain: Vec<TableSchema> = export.tables.iter().map(|(table, _)| plain(table)).collect();
    assert_eq!(again, plain);
    drop((old, new));
    original.drop().await;
    copy.drop().await;
}

/// The parts of a schema entry that the loader preserves.
fn plain(table: &TableSchema) -> TableSchema {
    let mut table = table.clone();
    table.partition_key = None;
    table.partitions = Vec::new();
    table.inherits = Vec::new();
    table.triggers = Vec::new();
    table.rules = Vec::new();
    table.policies = Vec::new();
    table.row_security = None;
    table.replica_identity = None;
    table.unlogged = false;
    for column in &mut table.columns {
        column.default = None;
        column.identity = None;
    }
    table
}

fn names<T>(tables: &[(TableSchema, T)]) -> Vec<&str> {
    tables.iter().map(|(table, _)| table.name.as_str()).collect()
}

#[tokio::test]
async fn sqlite_loads_back_to_equal_values() {
    for (encoding, temp_copy) in [("UTF-8", false), ("UTF-8", true), ("UTF-16le", false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd name?.db".replace('?', "%"));
        let mut old = create_sqlite(&path).await;
        run_sqlite(&mut old, &format!("PRAGMA encoding = '{encoding}'")).await;
        run_sqlite(&mut old, include_str!("fixtures/odd.sqlite.sql")).await;

        let options = SnapshotOptions { temp_copy, ..SnapshotOptions::new("odd") };
        let url = DatabaseUrl::sqlite_file(&path).unwrap();
        let export = loader::export(&url, &options).await;
        assert!(export.engine.starts_with("SQLite 3."));
        assert_eq!(export.kind, if temp_copy { "vacuum-copy" } else { "read-transaction" });
        assert_eq!(export.tables.len(), 16, "{:?}", names(&export.tables));
        assert!(export.skipped.contains(&"search".to_owned()), "{:?}", export.skipped);
        assert_eq!(export.skipped.len(), 4, "{:?}", export.skipped);

        let mut new = create_sqlite(&folder.path().join("copy.db")).await;
        run_sqlite(&mut new, &format!("PRAGMA encoding = '{encoding}'")).await;
        loader::sqlite::load(&mut new, &export).await;
        for (table, rows) in &export.tables {
            let expected = loader::sqlite::printed(&mut old, table).await;
            assert_eq!(expected.len(), rows.len(), "{}", table.name);
            assert_eq!(loader::sqlite::printed(&mut new, table).await, expected, "{}", table.name);
        }
        let again = DatabaseUrl::sqlite_file(folder.path().join("copy.db")).unwrap();
        let again = list_tables(&again, &options).await.unwrap();
        let tables: Vec<&TableSchema> = export.tables.iter().map(|(table, _)| table).collect();
        assert_eq!(again.iter().collect::<Vec<_>>(), tables);
    }
}

#[tokio::test]
async fn sqlite_schema_entries_say_what_the_table_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.db");
    let mut connection = create_sqlite(&path).await;
    run_sqlite(&mut connection, include_str!("fixtures/odd.sqlite.sql")).await;
    let tables =
        list_tables(&DatabaseUrl::sqlite_file(&path).unwrap(), &SnapshotOptions::new("s")).await.unwrap();
    let table = |name: &str| tables.iter().find(|table| table.name == name).unwrap();

    assert_eq!(table("without_rowid").primary_key, ["b", "a"]);
    let unique: Vec<_> = table("Select").unique().collect();
    assert_eq!(unique, [&["Where".to_owned()][..], &["order by".into(), "from".into()]]);
    let generated: Vec<_> =
        table("generated").columns.iter().map(|column| column.generated.as_deref()).collect();
    assert_eq!(generated, [None, None, Some("virtual"), Some("stored"), None]);
    assert_eq!(table("no_rows").columns[1].default.as_deref(), Some("'x'"));
    assert!(!table("no_rows").columns[1].nullable);
    let [own, compound] = &table("children").foreign_keys[..] else { panic!("two foreign keys") };
    assert_eq!((own.references.table.as_str(), own.on_delete.as_str()), ("children", "set null"));
    assert!(own.referenced_columns.is_empty());
    assert_eq!((compound.columns.len(), compound.on_delete.as_str()), (2, "cascade"));
}
