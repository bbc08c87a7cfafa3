//! No token outlives its issuers, at either service.

use e2e::{Dev, FELT_EVERYWHERE, eventually};

#[test]
fn a_grandchild_ends_with_its_grandparent_at_both_services() {
    let dev = Dev::start("");
    let issue = |issuer: &e2e::Operator, name: &str, role: &str| {
        let issued = issuer.json(&["token", "issue", name, "--role", role]);
        issuer.with_token(issued["secret"].as_str().unwrap())
    };
    let grandparent = issue(&dev.admin, "grandparent", "admin");
    let parent = issue(&grandparent, "parent", "admin");
    let child = issue(&parent, "child", "auditor");
    let _ = child.run(&["credential", "list"]).succeeded();
    let _ = child.run(&["source", "list"]).succeeded();
    let _ = dev.admin.run(&["token", "revoke", "--yes", "grandparent"]).succeeded();
    for call in [["credential", "list"], ["source", "list"]] {
        eventually("the refusal", FELT_EVERYWHERE, || {
            child.run(&call).said().contains("one of its issuers").then_some(())
        });
    }
    let listed = dev.admin.run(&["token", "list"]).succeeded().text();
    let ended =
        |name: &str| listed.lines().any(|line| line.contains(name) && line.contains("through token:"));
    assert!(ended("parent") && ended("child"), "{listed}");
}

#[test]
fn a_child_expires_no_later_than_its_issuer() {
    let dev = Dev::start("");
    let parent = dev.path("parent.token");
    let out = parent.to_str().unwrap();
    let expiry = "2999-01-01T00:00:00Z";
    let issue = ["token", "issue", "parent", "--role", "admin", "--expires", expiry, "--out", out];
    let _ = dev.admin.run(&issue).succeeded();
    let parent = dev.admin.with_token(std::fs::read_to_string(&parent).unwrap().trim());
    let later = ["token", "issue", "child", "--role", "admin", "--expires", "2999-01-01T00:00:01Z"];
    let refused = parent.run(&later).failed_with(1);
    assert!(refused.contains(&format!("must not be after {expiry}")), "{refused}");
    let child = parent.json(&["token", "issue", "child", "--role", "admin"]);
    assert_eq!(child["token"]["expireTime"], expiry);
    let again = dev.admin.run(&issue).failed_with(1);
    assert!(again.contains("--force"), "{again}");
}

#[test]
fn a_token_is_refused_where_it_is_not_bound() {
    let dev = Dev::start("");
    for (service, here, there) in [
        ("vault", ["credential", "list"], ["source", "list"]),
        ("backup", ["source", "list"], ["credential", "list"]),
    ] {
        let issued = dev.admin.json(&["token", "issue", service, "--role", "auditor", "--service", service]);
        let holder = dev.admin.with_token(issued["secret"].as_str().unwrap());
        let _ = holder.run(&here).succeeded();
        let refused = holder.run(&there).failed_with(1);
        assert!(refused.contains("bound to another service"), "{refused}");
    }
}
