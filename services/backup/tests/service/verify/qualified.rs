//! Sealed values in a table that has a different name in archives: they were sealed under the table's own name.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_qualified_table_verify_under_the_name_they_were_sealed_with() {
    let (folder, second) = (database::folder().await, tempfile::tempdir().unwrap());
    let value = good_value(GATEWAY_KID, "users/bearer/7");
    let sql = format!(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, bearer); INSERT INTO users VALUES (7, '{value}')"
    );
    database::run(second.path(), &sql).await;
    let source = format!(
        "[[sources]]\nname = 'b'\nkind = 'sqlite'\nurl = 'sqlite:{}'\n[[sources.encrypted_columns]]\n\
         column = 'users.bearer'\nkey = 'gateway'\naad = '{{table}}/{{column}}/{{id}}'",
        second.path().join("gateway.db").display()
    );
    let service = Service::start(folder, FakeVault::start().await, "", &source).await;
    for tables in [vec![], vec!["b.users".to_owned()]] {
        let file = export(&service, ExportBackupRequest { tables, ..plain() }).await;
        let told = verify(&service, &file).await;
        assert!(told.verdict.ok, "{:?}", told.verdict);
        let column = told.columns.iter().find(|column| column.table == "b.users").unwrap();
        assert_eq!((column.column.as_str(), column.values, column.decryptable), ("bearer", 1, 1));
    }
    let census = &service.vault.censuses()[0];
    assert_eq!((census.source.as_str(), census.column.as_str()), ("b", "users.bearer"));
}
