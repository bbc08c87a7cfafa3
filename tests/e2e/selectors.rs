//! A narrowed token whose holder tries to get more: an omitted selector once selected everything.

use std::time::Duration;

use e2e::{Deployment, Finished, Operator, finish, tool};
use serde_json::{Value, json};
use strongroom_testkit::TestDb;

/// Two staging credentials, a production credential, and consumers of both.
struct Scene {
    deployment: Deployment,
    staging: String,
    spare: String,
    production: String,
}

impl Scene {
    fn start(database: &TestDb) -> Self {
        let deployment = Deployment::start(database.url_text(), "");
        let admin = &deployment.admin;
        let create = |name: &str, provider: &str, env: &str| {
            let label = format!("env={env}");
            let arguments = ["credential", "create", name, "--provider", provider, "--label", &label];
            let arguments = [&arguments[..], &["--secret-file", "-", "-o", "json"]].concat();
            let created =
                admin.feed(&arguments, format!("sk-secret-of-{name}").as_bytes()).succeeded().json();
            created["id"].as_str().unwrap().to_owned()
        };
        let staging = create("Staging", "openai", "staging");
        let spare = create("Spare", "anthropic", "staging");
        let production = create("Production", "openai", "production");
        for arguments in [
            &["endpoint", "chat", &staging][..],
            &["endpoint", "theirs", &production, "--fallback", &staging],
            &["pii_config", "scanner", &staging, "--needs-provider", "openai"],
        ] {
            let _ = admin.run(&[&["reference", "bind"], arguments].concat()).succeeded();
        }
        let _ = admin.run(&["key", "create", "payments"]).succeeded();
        Self { deployment, staging, spare, production }
    }

    fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    /// An operator with a token that the admin narrowed.
    fn narrowed(&self, role: &str, selectors: &[&str]) -> Operator {
        let mut arguments = vec!["token", "issue", "narrowed", "--role", role];
        for selector in selectors {
            arguments.extend(["--select", selector]);
        }
        let issued = self.admin().json(&arguments);
        self.admin().with_token(issued["secret"].as_str().unwrap())
    }

    fn counts(&self, whose: &Operator, id: &str) -> Value {
        whose.json(&["credential", "get", id])["referenceCounts"].clone()
    }
}

/// A crypto call, for which the command line has no verb; `None` if grpcurl is not installed.
fn crypto(whose: &Operator, method: &str, request: &Value) -> Option<Finished> {
    let address = whose.vault_url.strip_prefix("http://").unwrap();
    let mut command = tool::tool("grpcurl")?;
    command.args(["-plaintext", "-max-time", "20"]);
    command.args(["-H", &format!("authorization: Bearer {}", whose.token), "-d", &request.to_string()]);
    command.args([address, &format!("strongroom.vault.v1.CryptoService/{method}")]);
    Some(finish(&mut command, b"", Duration::from_secs(30)))
}

fn refused(finished: &Finished, text: &str) {
    assert!(finished.failed_with(1).contains(text), "{}: {}", finished.line, finished.said());
    for foreign in ["Production", "theirs", "scanner", "production"] {
        let asked = finished.line.contains(foreign);
        assert!(asked || !finished.said().contains(foreign), "{}: {}", finished.line, finished.said());
    }
}

#[test]
fn an_omitted_selector_opens_nothing() {
    for database in TestDb::each() {
        let scene = Scene::start(&database);
        let labels = scene.narrowed("gateway", &["label.env=staging"]);
        let reveal = labels.run(&["credential", "reveal", "Staging"]).succeeded();
        assert_eq!(reveal.text(), "sk-secret-of-Staging");
        refused(&labels.run(&["reference", "resolve", "endpoint", "chat"]), "there is no reference");
        assert_eq!(labels.json(&["reference", "list"]), json!([]));
        assert_eq!(scene.counts(&labels, &scene.staging), json!({}), "references of no kind are counted");
        no_key_opens(scene.admin(), &labels);

        for selector in ["kind=*", "kind=endpoint", "key=payments"] {
            let other = scene.narrowed("gateway", &[selector]);
            assert_eq!(other.json(&["credential", "list"]), json!([]), "{selector}");
            assert_eq!(other.json(&["credential", "stats"])["total"], "0", "{selector}");
            for id in [&scene.staging, &scene.production] {
                refused(&other.run(&["credential", "reveal", id]), "there is no credential");
            }
            refused(&other.run(&["reference", "resolve", "endpoint", "chat"]), "there is no reference");
        }
        let key = scene.narrowed("gateway", &["key=payments"]);
        let sealed = crypto(&key, "Encrypt", &json!({ "key_id": "payments", "plaintext": "eA==" }));
        assert!(sealed.is_none_or(|sealed| sealed.code == Some(0)), "the key that it names");
    }
}

fn no_key_opens(admin: &Operator, narrowed: &Operator) {
    let seal = json!({ "key_id": "payments", "plaintext": "eA==" });
    let Some(sealed) = crypto(admin, "Encrypt", &seal) else { return };
    let ciphertext = sealed.succeeded().json()["ciphertext"].clone();
    let open = json!({ "key_id": "payments", "ciphertext": ciphertext });
    for (method, request) in [("Encrypt", &seal), ("Decrypt", &open), ("Rewrap", &open)] {
        let answer = crypto(narrowed, method, request).unwrap();
        assert!(answer.code != Some(0) && answer.said().contains("there is no key"), "{}", answer.said());
    }
}

#[test]
fn both_sorts_resolve_and_bind_and_nothing_shows_what_is_outside() {
    for database in TestDb::each() {
        let scene = Scene::start(&database);
        let narrowed = scene.narrowed("admin", &["label.env=staging", "kind=endpoint*"]);
        let resolved = narrowed.run(&["reference", "resolve", "endpoint", "chat"]).succeeded();
        assert_eq!(resolved.text(), "sk-secret-of-Staging");
        let every = scene.narrowed("gateway", &["label.env=staging", "kind=*"]);
        let resolved = every.run(&["reference", "resolve", "pii_config", "scanner"]).succeeded();
        assert_eq!(resolved.text(), "sk-secret-of-Staging");
        let passed_over = every.run(&["reference", "resolve", "endpoint", "theirs"]).succeeded();
        assert!(!passed_over.said().contains(&scene.production), "{}", passed_over.said());

        refused(&narrowed.run(&["credential", "get", "Production"]), "no credential has the id or the name");
        refused(&narrowed.run(&["reference", "bind", "endpoint", "theirs", &scene.staging]), "outside");
        refused(&narrowed.run(&["reference", "release", "endpoint", "theirs"]), "there is no reference");
        assert_eq!(scene.counts(&narrowed, &scene.staging), json!({ "endpoint": "1" }));
        let listed = narrowed.json(&["reference", "list", "--credential", "Staging"]);
        let consumers: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["consumer"]).collect();
        assert_eq!(consumers, ["chat"]);

        // The scanner needs another provider, and the narrowed token must not see it.
        let moved = narrowed.run(&["reference", "reassign", "--from", "Staging", "--to", &scene.spare]);
        assert!(!moved.succeeded().said().contains("scanner"));
        let all = scene.counts(scene.admin(), &scene.staging);
        assert_eq!(all, json!({ "endpoint": "1", "pii_config": "1" }), "only what it sees was moved");
        assert_eq!(scene.counts(scene.admin(), &scene.spare), json!({ "endpoint": "1" }));
    }
}

#[test]
fn it_issues_nothing_wider_and_sees_no_backup() {
    for database in TestDb::each().into_iter().take(1) {
        let scene = Scene::start(&database);
        let narrowed = scene.narrowed("admin", &["label.env=staging", "kind=*"]);
        let issue = |selectors: &[&str]| {
            let mut arguments = vec!["token", "issue", "child", "--role", "gateway"];
            for selector in selectors {
                arguments.extend(["--select", selector]);
            }
            narrowed.run(&arguments)
        };
        for wider in
            [&[][..], &["key=payments"], &["label.env=staging", "key=payments"], &["provider=openai"]]
        {
            refused(&issue(wider), "must be narrowed at least");
        }
        let child = issue(&["label.env=staging"]).succeeded();
        assert!(child.stderr.contains("it reaches no references and no caller keys"), "{}", child.stderr);

        for arguments in [
            &["source", "list"][..],
            &["backup", "export", "--out", "-"],
            &["audit", "list"],
            &["key", "list"],
        ] {
            refused(&narrowed.run(arguments), "permission");
        }
    }
}
