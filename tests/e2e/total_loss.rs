//! A vault is lost: a new one with only the same root key verifies an archive of the old one. And keys that an archive
//! needs stay in the vault as long as the archive may exist.

use std::path::PathBuf;

use e2e::{Deployment, Operator};
use strongroom_testkit::TestDb;

const SECRET: &[u8] = b"sk-of-the-older-vault";

/// A vault with a credential, and an archive of it.
struct Older {
    deployment: Deployment,
    archive: PathBuf,
}

impl Older {
    fn on(database: &TestDb) -> Self {
        let deployment = Deployment::start(database.url_text(), "");
        let _ = deployment.admin.create_credential("OpenAI", "openai", SECRET);
        let archive = deployment.path("older.zip");
        let file = archive.to_str().unwrap();
        let _ = deployment
            .admin
            .run(&["backup", "export", "--plain", "--include", "audit", "--out", file])
            .succeeded();
        Self { deployment, archive }
    }

    fn verify(&self, operator: &Operator) -> e2e::Finished {
        operator.run(&["backup", "verify", self.archive.to_str().unwrap()])
    }
}

#[test]
fn a_new_vault_with_the_same_root_key_verifies_an_older_ones_archive() {
    for (database, empty) in TestDb::each().into_iter().zip(TestDb::each()) {
        let older = Older::on(&database);
        let _ = older.verify(&older.deployment.admin).succeeded();
        let root = std::fs::read_to_string(older.deployment.path("root.key")).unwrap();
        let new = Deployment::start_with_root(&root, empty.url_text(), "");
        let verified = older.verify(&new.admin).succeeded();
        let said = verified.said();
        for level in ["framing", "signature", "content", "values"] {
            let passed = |line: &str| line.starts_with(level) && line.contains("passed");
            assert!(said.lines().any(passed), "{level}: {said}");
        }
        assert_eq!(new.admin.json(&["credential", "list"]), serde_json::json!([]), "nothing is stored");
    }
}

#[test]
fn with_another_root_key_the_missing_one_is_named() {
    for (database, empty) in TestDb::each().into_iter().zip(TestDb::each()) {
        let older = Older::on(&database);
        let keys = older.deployment.admin.json(&["key", "list"]);
        let root_key_id = keys[0]["rootKeyId"].as_str().unwrap().to_owned();
        let stranger = Deployment::start(empty.url_text(), "");
        let verified = older.verify(&stranger.admin);
        assert_ne!(verified.code, Some(0), "{}", verified.said());
        assert!(verified.said().contains(&format!("the root key {root_key_id}")), "{}", verified.said());
    }
}

#[test]
fn what_an_archive_needs_is_not_retired() {
    for database in TestDb::each() {
        let older = Older::on(&database);
        let admin = &older.deployment.admin;
        let listed = admin.json(&["key", "list"]);
        let first = listed.as_array().unwrap().iter().find(|one| one["keyId"] == "credential").unwrap();
        let kid = first["kid"].as_str().unwrap();
        let _ = admin.run(&["key", "rotate", "credential"]).succeeded();
        let _ = admin.run(&["key", "reencrypt"]).succeeded();
        let archive = e2e::Archive::at(&older.archive).json("manifest.json");
        let refused = admin.run(&["key", "disable", kid]).failed_with(1);
        assert!(refused.contains(archive["archive_id"].as_str().unwrap()), "{refused}");
        assert!(refused.contains("0 rows"), "no row needs it: {refused}");
    }
}
