//! A person who tries to approve their own request, and a vault whose admins are gone.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use e2e::{Deployment, Dev, Operator, finish, program};

/// An admin's token issued by `issuer`, with its id.
fn issue(issuer: &Operator, name: &str) -> (String, Operator) {
    let issued = issuer.json(&["token", "issue", name, "--role", "admin"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&issued["token"]["id"]), issuer.with_token(&text(&issued["secret"])))
}

/// Enrols one of the first two people.
fn enrolled(admin: &Operator, name: &str) -> Operator {
    let (id, holder) = issue(admin, name);
    let _ = admin.json(&["person", "enrol", name, "--token", &id]);
    let renewed = holder.json(&["token", "renew"]);
    holder.with_token(renewed["secret"].as_str().unwrap())
}

/// A key version that is still needed, so that it can only be removed with an approval.
fn needed_version(admin: &Operator) -> String {
    let _ = admin.create_credential("OpenAI", "openai", b"sk-0123456789abcdef");
    let first = admin.json(&["key", "list"]);
    let first = first.as_array().unwrap().iter().find(|version| version["keyId"] == "credential").unwrap();
    let _ = admin.json(&["key", "rotate", "credential"]);
    first["kid"].as_str().unwrap().to_owned()
}

#[test]
fn nobody_approves_what_they_asked_for() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let kid = needed_version(admin);
    let nobody = admin.run(&["key", "disable", &kid]).failed_with(1);
    assert!(nobody.contains("`strongroom person enrol`"), "{nobody}");
    let (ada, ben) = (enrolled(admin, "Ada"), enrolled(admin, "Ben"));
    let (_, child) = issue(&ada, "child");
    let (_, sibling) = issue(&ada, "sibling");
    let (_, other) = issue(admin, "of the first admin");
    let _ = child.run(&["key", "disable", &kid]).failed_with(1);
    let requests = admin.json(&["key", "requests"]);
    let request = requests[0]["id"].as_str().unwrap();
    for disguised in [&ada, &child, &sibling, &other, admin] {
        let refused = disguised.run(&["key", "approve", request]).failed_with(1);
        assert!(refused.contains("APPROVER_DEPENDENT"), "{refused}");
    }
    let _ = child.run(&["key", "disable", &kid]).failed_with(1);
    let _ = ben.run(&["key", "approve", request]).succeeded();
    let _ = child.run(&["key", "disable", &kid]).succeeded();
    let tokens = admin.run(&["token", "list"]).succeeded().text();
    assert!(tokens.lines().any(|line| line.contains("sibling") && line.contains("Ada")), "{tokens}");
    assert_eq!(admin.events("key.request_approved").len(), 6, "each try is in the log");
}

#[test]
fn who_has_database_and_root_key_can_break_the_glass() {
    let deployment = Deployment::start("sqlite:vault.db", "");
    let file = deployment.path("glass.token");
    let break_glass = || {
        let mut command = program("strongroom-vault");
        command.args(["--config", "vault.toml", "--issue-admin-token", "glass.token"]);
        finish(command.current_dir(deployment.path("")), b"", Duration::from_secs(60))
    };
    let said = break_glass().succeeded().said();
    let token = std::fs::read_to_string(&file).unwrap();
    assert!(!said.contains(token.trim()), "a log is no place for a token");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = break_glass().failed_with(1);
    assert!(again.contains("glass.token"), "it replaces nothing: {again}");

    let holder = deployment.admin.with_token(token.trim());
    let issued = holder.events("token.issued").remove(0);
    assert_eq!(
        (issued["actor"].as_str(), &issued["metadata"]["reason"]),
        (Some("system"), &"\"break-glass\"".into())
    );
    let _ = holder.run(&["token", "revoke", "--yes", "first admin"]).succeeded();
    let last = holder.run(&["token", "revoke", "--yes", "break-glass admin"]).failed_with(1);
    assert!(last.contains("LAST_ADMIN") && last.contains("--issue-admin-token"), "{last}");
    let (id, _) = issue(&holder, "Ada");
    let early = holder.run(&["person", "enrol", "Ada", "--token", &id]).failed_with(1);
    assert!(early.contains("24 hours"), "{early}");
}
