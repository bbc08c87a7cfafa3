//! Refusals before any change, each with the name, the reason and the remedy.

use strongroom_testkit::TestDb;

use super::gateway::Gateway;
use crate::dying_restores::site::Replica;

/// Sources in addition to the application's.
fn others(gateway: &Gateway) -> String {
    let (folder, url) = (gateway.site.deployment.path("files"), &gateway.url);
    std::fs::create_dir_all(&folder).unwrap();
    let kind = if gateway.database.file().is_some() { "sqlite" } else { "postgres" };
    let database = |name: &str, more: &str| {
        format!(
            "[[sources]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\ntable_prefix = \"{name}_\"\n{more}\n\n"
        )
    };
    let column = |key: &str| {
        format!(
            "[[sources.encrypted_columns]]\ncolumn = \"servers.bearer\"\nkey = \"{key}\"\naad = \"{{id}}\"\n"
        )
    };
    let file = gateway.site.deployment.path("owner.url");
    let owned = format!("restore_url_file = \"{}\"\n", file.display());
    [
        format!("[[sources]]\nname = \"files\"\nkind = \"files\"\npath = \"{}\"\n\n", folder.display()),
        database("plain", ""),
        database("readonly", &column("gateway")),
        database("keyless", &(owned + &column("nowhere"))),
    ]
    .concat()
}

fn expect(gateway: &Gateway, source: &str, reason: &str, words: &[&str]) {
    let replica = gateway.site.start(None);
    let ended = replica.operator.run(&["source", "reencrypt", source, "-o", "json"]);
    let said = ended.failed_with(1);
    assert!(said.contains(reason), "{source}: {said}");
    for word in words {
        assert!(said.contains(word), "{source}: {said} lacks {word}");
    }
}

#[test]
fn what_cannot_be_reencrypted_is_refused_by_name() {
    for database in TestDb::each() {
        let mut gateway = Gateway::create(database, 5);
        gateway.site.sources += &others(&gateway);
        let before = gateway.values();
        let _ = gateway.rotate();
        for (source, reason, words) in [
            ("nothing", "SOURCE_NOT_FOUND", &["nothing", "strongroom source list"][..]),
            ("vault", "NO_DATABASE", &["vault", "strongroom key reencrypt"]),
            ("files", "NO_DATABASE", &["files"]),
            ("plain", "NO_ENCRYPTED_COLUMNS", &["plain", "encrypted_columns"]),
            ("readonly", "NO_RESTORE_URL", &["readonly", "restore_url_file"]),
            ("keyless", "KEY_NOT_FOUND", &["nowhere", "servers.bearer", "strongroom key list"]),
        ] {
            expect(&gateway, source, reason, words);
        }
        let denied = gateway.site.deployment.admin.issue("auditor");
        let replica = gateway.site.start(None);
        let denied = replica.operator.with_token(&denied.token).run(&["source", "reencrypt", "gateway"]);
        let denied = denied.failed_with(1);
        assert!(denied.contains("source.reencrypt"), "{denied}");
        changed_schemas(&gateway, &replica);
        assert_eq!(gateway.values(), before, "nothing was changed");
        assert!(gateway.site.deployment.admin.events("source.reencrypt*").is_empty(), "nothing was begun");
    }
}

/// Tables that change while the service runs; some of them would make it refuse to start.
fn changed_schemas(gateway: &Gateway, replica: &Replica) {
    let refused = |reason: &str, words: &[&str]| {
        let said = replica.operator.run(&["source", "reencrypt", "gateway", "-o", "json"]).failed_with(1);
        assert!(said.contains(reason), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    let database = &gateway.database;
    let copy = "CREATE TABLE kept AS SELECT * FROM tokens; DROP TABLE tokens;";
    database.run(copy);
    refused("TABLE_MISSING", &["tokens"]);
    give(gateway, "CREATE TABLE tokens (owner TEXT, number BIGINT, secret TEXT)");
    refused("NO_PRIMARY_KEY", &["tokens", "no primary key"]);
    give(gateway, "CREATE TABLE tokens (owner TEXT, number BIGINT, PRIMARY KEY (owner, number))");
    refused("COLUMN_MISSING", &["tokens.secret"]);
    give(gateway, "CREATE TABLE tokens (owner TEXT, number BIGINT, secret TEXT PRIMARY KEY)");
    refused("COLUMN_NOT_WRITABLE", &["tokens", "secret", "primary key"]);
    if database.file().is_some() {
        give(
            gateway,
            "CREATE TABLE tokens (owner TEXT, number BIGINT, secret TEXT, PRIMARY KEY (owner, number))",
        );
        database.run("INSERT INTO tokens VALUES (NULL, 1, NULL)");
        refused("NULL_IN_PRIMARY_KEY", &["tokens", "NULL"]);
    }
}

/// Replaces the table `tokens`, owned by the application's role.
fn give(gateway: &Gateway, table: &str) {
    gateway.database.run("DROP TABLE IF EXISTS tokens");
    gateway.database.run(table);
    if let Some(role) = gateway.role() {
        gateway.database.run(&format!("ALTER TABLE tokens OWNER TO {role}"));
    }
}
