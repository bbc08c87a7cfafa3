//! An attacker with write access to the vault's database but without a key: one statement once created an admin token.

use e2e::{Deployment, FELT_EVERYWHERE, Operator, eventually};
use strongroom_crypto::Token;
use strongroom_testkit::TestDb;

const SECRET: &str = "sk-of-production";

/// A production credential, a staging credential with a consumer, and a token that is narrowed to staging.
struct Scene {
    deployment: Deployment,
    database: TestDb,
    staging: String,
    production: String,
    weak: Operator,
}

impl Scene {
    fn each() -> Vec<Self> {
        TestDb::each().into_iter().map(Self::start).collect()
    }

    fn start(database: TestDb) -> Self {
        let deployment = Deployment::start(database.url_text(), "");
        let admin = &deployment.admin;
        let create = |name: &str, secret: &str| {
            let label = format!("env={name}");
            let create = ["credential", "create", name, "--provider", "openai", "--label", &label];
            let create = [&create[..], &["--secret-file", "-", "-o", "json"]].concat();
            let created = admin.feed(&create, secret.as_bytes()).succeeded().json();
            created["id"].as_str().unwrap().to_owned()
        };
        let (staging, production) = (create("staging", "sk-of-staging"), create("production", SECRET));
        let _ = admin.run(&["reference", "bind", "endpoint", "chat", &staging]).succeeded();
        let weak = issue(admin, &["weak", "--role", "gateway", "--select", "label.env=staging"]);
        Self { weak, deployment, database, staging, production }
    }

    fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    /// Runs one statement of the attacker.
    fn attack(&self, sql: &str) {
        self.database.run(sql);
    }

    /// Inserts a copy of the row `which` of `table` with other values in some columns.
    fn plant(&self, table: &str, which: &str, values: &[(&str, String)]) {
        let changes: String = values.iter().map(|(column, value)| format!("{column} = {value},")).collect();
        let changes = changes.trim_end_matches(',');
        self.attack(&format!(
            "CREATE TABLE planted AS SELECT * FROM {table} WHERE {which}; UPDATE planted SET {changes};
             INSERT INTO {table} SELECT * FROM planted; DROP TABLE planted"
        ));
    }

    fn is_refused(&self, who: &Operator, arguments: &[&str], reason: &str) {
        let refused = who.run(arguments);
        let said = refused.said();
        assert_eq!(refused.code, Some(1), "{}: {said}", refused.line);
        assert!(said.contains(reason) && !said.contains(SECRET), "{}: {said}", refused.line);
    }
}

fn issue(issuer: &Operator, arguments: &[&str]) -> Operator {
    let issued = issuer.json(&[&["token", "issue"], arguments].concat());
    issuer.with_token(issued["secret"].as_str().unwrap())
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

#[test]
fn a_planted_token_is_no_token_and_is_named() {
    for mut scene in Scene::each() {
        let token = Token::generate();
        let (database, hash) = (&scene.database, token.introspect_hash());
        let values = [
            ("id", quoted(token.id())),
            ("name", quoted("planted")),
            ("hash", database.bytes(&token.hash())),
            ("introspect_hash", database.bytes(&Token::introspect_lookup(&hash))),
        ];
        scene.plant("api_tokens", "role = 'admin'", &values);
        let planted = scene.admin().with_token(token.expose());
        scene.is_refused(&planted, &["credential", "reveal", "production"], "the token is unknown");
        scene.is_refused(&planted, &["source", "list"], "the token is unknown");

        let row = format!("api_tokens {}", token.id());
        scene.is_refused(scene.admin(), &["audit", "verify"], &row);
        scene.deployment.restart_vault();
        eventually("the row in the status", FELT_EVERYWHERE, || {
            let status = scene.admin().run(&["status"]).text();
            (status.contains("TAMPERED IN") && status.contains(token.id())).then_some(())
        });
    }
}

#[test]
fn a_changed_token_is_refused() {
    for scene in Scene::each() {
        let reveal = ["credential", "reveal", "production"];
        scene.is_refused(&scene.weak, &reveal, "no credential has the id");
        let ended = issue(scene.admin(), &["ended", "--role", "admin"]);
        let _ = scene.admin().run(&["token", "revoke", "--yes", "ended"]).succeeded();
        for (token, change) in [
            (&scene.weak, "role = 'admin'"),
            (&scene.weak, "selectors = '{}'"),
            (&ended, "revoke_time = NULL"),
        ] {
            let id = quoted(&token.token[4..16]);
            scene.attack("CREATE TABLE kept AS SELECT * FROM api_tokens");
            scene.attack(&format!("UPDATE api_tokens SET {change} WHERE id = {id}"));
            eventually(change, FELT_EVERYWHERE, || {
                token.run(&reveal).said().contains("the token is unknown").then_some(())
            });
            scene.attack(&format!(
                "DELETE FROM api_tokens WHERE id = {id};
                 INSERT INTO api_tokens SELECT * FROM kept WHERE id = {id}; DROP TABLE kept"
            ));
        }
        eventually("the token as it was", FELT_EVERYWHERE, || {
            let revealed = scene.weak.run(&["credential", "reveal", "staging"]);
            (revealed.text() == "sk-of-staging").then_some(())
        });
    }
}

#[test]
fn what_a_changed_row_would_open_stays_closed() {
    for scene in Scene::each() {
        let Scene { staging, production, weak, .. } = &scene;
        let labels = format!(
            "UPDATE credentials SET labels = (SELECT labels FROM credentials WHERE id = '{staging}')
             WHERE id = '{production}';
             UPDATE credential_labels SET value = 'staging' WHERE credential_id = '{production}'"
        );
        scene.attack(&labels);
        scene.is_refused(weak, &["credential", "reveal", production], "ROW_TAMPERED");
        scene.attack(&format!("UPDATE credential_references SET credential_id = '{production}'"));
        let both = issue(
            scene.admin(),
            &["both", "--role", "gateway", "--select", "label.env=staging", "--select", "kind=*"],
        );
        for who in [&both, scene.admin()] {
            scene.is_refused(who, &["reference", "resolve", "endpoint", "chat"], "");
        }
    }
}

#[test]
fn a_planted_approval_lets_nothing_through() {
    for mut scene in Scene::each() {
        let admin = scene.admin().clone();
        let person = |name: &str| {
            let issued = admin.json(&["token", "issue", name, "--role", "admin"]);
            let id = issued["token"]["id"].as_str().unwrap().to_owned();
            let _ = admin.run(&["person", "enrol", name, "--token", &id]).succeeded();
            let renewed = admin.with_token(issued["secret"].as_str().unwrap()).json(&["token", "renew"]);
            (id, admin.with_token(renewed["secret"].as_str().unwrap()))
        };
        let ((_, ada), (ben, _)) = (person("Ada"), person("Ben"));
        let versions = admin.json(&["key", "list"]);
        let first = versions.as_array().unwrap().iter().find(|one| one["keyId"] == "credential").unwrap();
        let kid = first["kid"].as_str().unwrap();
        let _ = admin.run(&["key", "rotate", "credential"]).succeeded();
        scene.is_refused(&ada, &["key", "disable", kid], "KEY_VERSION_IN_USE");
        scene.attack(&format!("UPDATE key_requests SET approver = 'token:{ben}'"));
        scene.is_refused(&ada, &["key", "disable", kid], "");

        scene.attack(&format!("UPDATE key_versions SET state = 'destroyed' WHERE kid = '{kid}'"));
        scene.is_refused(&admin, &["audit", "verify"], &format!("key_versions {kid}"));
        scene.attack(&format!("UPDATE key_versions SET state = 'decrypt-only' WHERE kid = '{kid}'"));
        scene.deployment.restart_vault();
        let revealed = admin.run(&["credential", "reveal", "production"]).succeeded();
        assert_eq!(revealed.text(), SECRET);
    }
}
