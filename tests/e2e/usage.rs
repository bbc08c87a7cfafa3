//! Wrong usage: exit code 2, advice on standard error, nothing done.

use e2e::Dev;

#[test]
fn wrong_usage_is_exit_code_2() {
    let dev = Dev::start("");
    for arguments in [
        &["credential"][..],
        &["nonsense"],
        &["credential", "create", "OpenAI"],
        &["credential", "create", "OpenAI", "--provider", "openai", "--secret", "sk-1"],
        &["credential", "list", "--active", "perhaps"],
        &["reference", "bind", "endpoint"],
        &["token", "issue", "ci"],
        &["backup", "export"],
        &["archive", "inspect"],
        &["dev"],
    ] {
        let finished = dev.admin.run(arguments);
        assert_eq!(finished.code, Some(2), "{}\n{}", finished.line, finished.said());
        assert!(finished.stderr.contains("--help") && finished.stdout.is_empty(), "{}", finished.said());
    }
    assert_eq!(dev.admin.json(&["credential", "stats"])["total"], "0");
}

#[test]
fn a_bad_request_names_its_field() {
    let dev = Dev::start("");
    let secret = |arguments: &[&str]| dev.admin.feed(arguments, b"sk-live-0123456789").failed_with(1);
    let bad = secret(&["credential", "create", "X", "--provider", "Open AI", "--secret-file", "-"]);
    assert!(bad.contains("provider"), "{bad}");
    let bad = secret(&["credential", "create", "", "--provider", "openai", "--secret-file", "-"]);
    assert!(bad.contains("display_name"), "{bad}");
    let bad = dev.admin.run(&["token", "issue", "ci", "--role", "root"]).failed_with(1);
    assert!(bad.contains("role"), "{bad}");
    let empty = dev.admin.run(&["credential", "create", "X", "--provider", "openai", "--secret-file", "-"]);
    assert!(empty.failed_with(1).contains("empty"));
}
