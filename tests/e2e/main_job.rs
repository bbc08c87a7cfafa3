//! The commands of the main job as an operator types them, against `strongroom dev`.

use e2e::{Dev, FELT_EVERYWHERE, eventually};
use serde_json::{Value, json};

const SECRET: &[u8] = b"sk-live-0123456789abcdef";

#[test]
fn a_credential_lives_its_life() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    // `echo` adds one line feed, which is not part of the secret.
    let arguments = ["credential", "create", "OpenAI prod", "--provider", "openai", "--secret-file", "-"];
    let labels = ["--label", "team=search", "--label", "env=prod", "-o", "json"];
    let created =
        admin.feed(&[&arguments[..], &labels[..]].concat(), &[SECRET, b"\n"].concat()).succeeded().json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(created["displayName"], "OpenAI prod");
    assert_eq!(created["provider"], "openai");
    assert_eq!(created["preview"], "sk-...def");
    assert_eq!(created["active"], true);
    assert_eq!(created["labels"], json!({ "team": "search", "env": "prod" }));

    let file = dev.path("secret");
    std::fs::write(&file, b"\x00\xffnot text").unwrap();
    let created = admin.json(&[
        "credential",
        "create",
        "Blob",
        "--provider",
        "azure",
        "--secret-file",
        file.to_str().unwrap(),
        "--expires",
        "2100-01-01T00:00:00Z",
    ]);
    assert_eq!(created["expireTime"], "2100-01-01T00:00:00Z");
    assert_eq!(admin.run(&["credential", "reveal", "Blob"]).succeeded().stdout, b"\x00\xffnot text");
    assert_eq!(admin.json(&["credential", "reveal", "Blob"])["secret"], "AP9ub3QgdGV4dA==");

    let renamed = admin.json(&["credential", "update", id, "--name", "OpenAI", "--label", "env=staging"]);
    assert_eq!(
        (&renamed["displayName"], &renamed["labels"]),
        (&json!("OpenAI"), &json!({ "env": "staging" }))
    );
    assert_ne!(renamed["etag"], created["etag"]);

    assert_eq!(admin.json(&["credential", "deactivate", "OpenAI"])["active"], false);
    let refused = admin.run(&["credential", "reveal", "OpenAI"]).failed_with(1);
    assert!(refused.contains("CREDENTIAL_INACTIVE"), "{refused}");
    let stats = admin.json(&["credential", "stats"]);
    assert_eq!(stats, json!({ "total": "2", "active": "1", "providers": ["azure", "openai"] }));
    assert_eq!(admin.json(&["credential", "activate", "OpenAI"])["active"], true);
    assert_eq!(admin.run(&["credential", "reveal", "OpenAI"]).succeeded().stdout, SECRET);
    assert!(admin.json(&["credential", "get", id])["lastUsedTime"].is_string());

    assert_eq!(
        admin.json(&["credential", "delete", "--yes", "OpenAI"]),
        json!({ "releasedReferences": "0" })
    );
    let gone = admin.run(&["credential", "get", id]).failed_with(1);
    assert!(gone.contains("CREDENTIAL_NOT_FOUND"), "{gone}");
}

#[test]
fn lists_are_filtered() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    for (name, provider) in [("Alpha", "openai"), ("Alpine", "anthropic"), ("Beta", "openai")] {
        let _ = admin.create_credential(name, provider, SECRET);
    }
    let _ = admin.json(&["credential", "update", "Beta", "--label", "env=prod"]);
    let _ = admin.json(&["credential", "deactivate", "Alpine"]);
    let names = |filter: &[&str]| {
        let listed = admin.json(&[&["credential", "list"], filter].concat());
        let names =
            listed.as_array().unwrap().iter().map(|one| one["displayName"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "Alpha Alpine Beta");
    assert_eq!(names(&["--provider", "openai"]), "Alpha Beta");
    assert_eq!(names(&["--active", "false"]), "Alpine");
    assert_eq!(names(&["--name-prefix", "Alp"]), "Alpha Alpine");
    assert_eq!(names(&["--label", "env=prod"]), "Beta");
    assert_eq!(names(&["--provider", "openai", "--active", "true", "--name-prefix", "B"]), "Beta");
    assert_eq!(names(&["--label", "env=none"]), "");
    let table = admin.run(&["credential", "list"]).succeeded().text();
    assert!(table.contains("Alpine") && !table.contains("live-0123"), "{table}");
}

#[test]
fn references_are_kept_and_a_deletion_releases_them() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let openai = admin.create_credential("OpenAI", "openai", SECRET);
    let azure = admin.create_credential("Azure", "azure", SECRET);
    let bound =
        admin.json(&["reference", "bind", "endpoint", "chat", "OpenAI", "--needs-provider", "openai"]);
    assert_eq!((&bound["credentialId"], &bound["needsProvider"]), (&json!(openai), &json!("openai")));
    let _ = admin.json(&["reference", "bind", "pii_config", "default", &openai]);
    let mismatch =
        admin.run(&["reference", "bind", "endpoint", "chat", &azure, "--needs-provider", "openai"]);
    assert!(mismatch.failed_with(1).contains("PROVIDER_MISMATCH"));

    let counts = &admin.json(&["credential", "get", &openai])["referenceCounts"];
    assert_eq!(counts, &json!({ "endpoint": "1", "pii_config": "1" }));
    let consumers = |of: &[&str]| -> Vec<Value> {
        let listed = admin.json(&[&["reference", "list"], of].concat());
        listed.as_array().unwrap().iter().map(|one| one["consumer"].clone()).collect()
    };
    assert_eq!(consumers(&["--credential", "OpenAI"]), ["chat", "default"]);
    assert!(consumers(&["--credential", "Azure"]).is_empty());

    let _ = admin.json(&["reference", "release", "pii_config", "default"]);
    let gone = admin.run(&["reference", "release", "pii_config", "default"]).failed_with(1);
    assert!(gone.contains("REFERENCE_NOT_FOUND"), "{gone}");
    assert_eq!(admin.json(&["credential", "delete", "--yes", &openai])["releasedReferences"], "1");
    let left = admin.json(&["reference", "list"]);
    assert_eq!((&left[0]["consumer"], &left[0]["credentialId"]), (&json!("chat"), &json!("")));
}

#[test]
fn a_revoked_token_is_refused_everywhere_within_seconds() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let issued =
        admin.json(&["token", "issue", "ci", "--role", "auditor", "--expires", "2100-01-01T00:00:00Z"]);
    let id = issued["token"]["id"].as_str().unwrap();
    let auditor = admin.with_token(issued["secret"].as_str().unwrap());
    assert!(auditor.token.starts_with("srt_"), "its prefix makes it findable in a leak");
    assert_eq!(issued["token"]["role"], "auditor");
    let _ = auditor.json(&["credential", "list"]);
    let _ = auditor.json(&["source", "list"]);

    let listed = admin.json(&["token", "list"]);
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|token| &token["name"]).collect();
    assert!(names.contains(&&json!("ci")), "{listed}");
    assert!(!listed.to_string().contains(&auditor.token));

    assert!(admin.json(&["token", "revoke", "--yes", id])["revokeTime"].is_string());
    let refused = auditor.run(&["credential", "list"]).failed_with(1);
    assert!(refused.contains("unknown, expired or revoked"), "{refused}");
    eventually("the backup service refuses it too", FELT_EVERYWHERE, || {
        (auditor.run(&["source", "list"]).code == Some(1)).then_some(())
    });
}

#[test]
fn nobody_issues_what_they_lack() {
    let dev = Dev::start("");
    let operator = dev.admin.issue("operator");
    let refused = operator.run(&["token", "issue", "more", "--role", "admin"]).failed_with(1);
    assert!(refused.contains("token.issue"), "{refused}");
    let refused =
        operator.run(&["credential", "reveal", "00000000-0000-0000-0000-000000000000"]).failed_with(1);
    assert!(refused.contains("credential.reveal"), "{refused}");
}

#[test]
fn every_change_and_reveal_is_in_the_audit_log() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let id = admin.create_credential("OpenAI", "openai", SECRET);
    let _ = admin.json(&["credential", "update", &id, "--label", "a=b"]);
    let _ = admin.json(&["credential", "deactivate", &id]);
    let _ = admin.json(&["credential", "activate", &id]);
    let _ = admin.json(&["credential", "reveal", &id]);
    let _ = admin.json(&["reference", "bind", "endpoint", "7", &id]);
    let _ = admin.json(&["reference", "release", "endpoint", "7"]);
    let issued = admin.json(&["token", "issue", "ci", "--role", "auditor"]);
    let _ = admin.json(&["token", "revoke", "--yes", issued["token"]["id"].as_str().unwrap()]);
    let _ = admin.with_token(issued["secret"].as_str().unwrap()).run(&["credential", "list"]);
    let auditor = admin.issue("auditor");
    let denied = auditor.run(&["credential", "delete", "--yes", &id]).failed_with(1);
    assert!(denied.contains("credential.delete"), "{denied}");
    let _ = admin.json(&["credential", "delete", "--yes", &id]);

    let events = admin.json(&["audit", "list"]);
    let mut newest_first = i64::MAX;
    for event in events.as_array().unwrap() {
        let sequence = event["sequence"].as_str().unwrap().parse::<i64>().unwrap();
        assert!(sequence < newest_first && event["time"].is_string(), "{event}");
        newest_first = sequence;
    }
    assert_eq!(newest_first, 1, "the log has no gap and begins at 1");
    let of_target = |event: &str, target: &str| {
        let found = admin.json(&["audit", "list", "--event", event]);
        let matching = |one: &&Value| one["target"].as_str().unwrap().contains(target);
        let one = found.as_array().unwrap().iter().find(matching).cloned();
        one.unwrap_or_else(|| panic!("{event} of {target}: {found}"))
    };
    for event in ["created", "updated", "deactivated", "activated", "revealed", "deleted"] {
        let event = of_target(&format!("credential.{event}"), &id);
        assert_eq!(event["outcome"], "AUDIT_OUTCOME_SUCCESS");
        assert!(event["actor"].as_str().unwrap().starts_with("token:"), "{event}");
    }
    for (event, target) in [
        ("reference.bound", "7"),
        ("reference.released", "7"),
        ("token.issued", issued["token"]["id"].as_str().unwrap()),
        ("token.revoked", issued["token"]["id"].as_str().unwrap()),
    ] {
        assert_eq!(of_target(event, target)["outcome"], "AUDIT_OUTCOME_SUCCESS");
    }
    assert_eq!(of_target("access.denied", "DeleteCredential")["outcome"], "AUDIT_OUTCOME_DENIED");
    assert_eq!(admin.events("credential.*").len(), 6);
    let head = admin.json(&["audit", "head"]);
    assert_eq!(head["sequence"], admin.json(&["audit", "list", "--limit", "1"])[0]["sequence"]);
}

#[test]
fn everything_is_still_there_after_a_restart() {
    let mut dev = Dev::start("");
    let id = dev.admin.create_credential("OpenAI", "openai", SECRET);
    dev.restart();
    assert_eq!(dev.admin.run(&["credential", "reveal", &id]).succeeded().stdout, SECRET);
}
