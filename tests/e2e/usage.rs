//! Wrong usage: exit code 2, advice on standard error, no effect.

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

#[test]
fn a_name_is_taken_twice_on_purpose_only() {
    let dev = Dev::start("");
    let create = |name: &str, more: &[&str]| {
        let create = ["credential", "create", name, "--provider", "openai", "--secret-file", "-"];
        dev.admin.feed(&[&create[..], more].concat(), b"sk-live-0123456789")
    };
    let id = create("One", &["-o", "json"]).succeeded().json()["id"].as_str().unwrap().to_owned();
    let refused = create("One", &[]).failed_with(1);
    assert!(refused.contains(&id) && refused.contains("--allow-duplicate"), "{refused}");
    let _ = create("One and more", &[]).succeeded();
    let _ = create("on", &[]).succeeded();

    let rename = |given: &str, more: &[&str]| {
        dev.admin.run(&[&["credential", "update", given, "--name", "One"][..], more].concat())
    };
    assert!(rename("on", &[]).failed_with(1).contains(&id));
    let own = rename("One", &[]).succeeded();
    assert!(own.stderr.is_empty(), "its own name is no duplicate: {own:?}");
    assert_eq!(dev.admin.json(&["credential", "list"]).as_array().unwrap().len(), 3);

    let _ = rename("on", &["--allow-duplicate"]).succeeded();
    let _ = create("One", &["--allow-duplicate"]).succeeded();
    let ambiguous = dev.admin.run(&["credential", "get", "One"]).failed_with(1);
    assert!(ambiguous.contains("several credentials"), "{ambiguous}");
}

#[test]
fn of_two_commands_at_once_one_notices() {
    let dev = Dev::start("");
    let create = ["credential", "create", "One", "--provider", "openai", "--secret-file", "-"];
    let ends: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..4).map(|_| scope.spawn(|| dev.admin.feed(&create, b"sk-live-0123456789"))).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let unaware = ends.iter().filter(|end| end.code == Some(0) && !end.stderr.contains("warning: "));
    assert!(unaware.count() <= 1, "{ends:?}");
    assert!(ends.iter().any(|end| end.code == Some(0)), "{ends:?}");
}

/// Each service is ready, but neither is the expected one.
#[test]
fn swapped_addresses_are_noticed() {
    let dev = Dev::start("");
    let swapped = |arguments: &[&str]| {
        let mut command = dev.admin.command(arguments);
        command.env("STRONGROOM_VAULT_URL", &dev.admin.backup_url);
        e2e::finish(command.env("STRONGROOM_BACKUP_URL", &dev.admin.vault_url), b"", e2e::PATIENCE)
    };
    let status = swapped(&["status"]).failed_with(1);
    assert!(status.contains("\"backup\"") && status.contains("STRONGROOM_VAULT_URL"), "{status}");
    for (arguments, variable) in
        [(["credential", "list"], "STRONGROOM_VAULT_URL"), (["backup", "list"], "STRONGROOM_BACKUP_URL")]
    {
        let refused = swapped(&arguments).failed_with(1);
        assert!(refused.contains("is not the") && refused.contains(variable), "{refused}");
    }
}
