//! Prompts of the command, its behaviour without a terminal, and the files that it does not replace.

use e2e::{Dev, Finished, at_a_terminal, program};
use serde_json::Value;

/// Runs `arguments` as the admin at a terminal; `None` if Python is missing.
fn typed(dev: &Dev, arguments: &[&str], answers: &[&str]) -> Option<Finished> {
    at_a_terminal(&dev.admin.command(arguments), answers)
}

#[test]
fn a_typed_secret_is_hidden_and_asked_for_twice() {
    let dev = Dev::start("");
    let create = ["credential", "create", "One", "--provider", "openai", "--secret-file", "-"];
    let secret = "sk-live-0123456789abcdef";
    let Some(differs) = typed(&dev, &create, &[secret, "sk-live-0123456789abcdeg"]) else { return };
    assert_eq!(differs.code, Some(1));
    assert!(differs.stderr.contains("not the same") && !differs.stderr.contains("sk-live"), "{differs:?}");
    let nothing = typed(&dev, &create, &[""]).unwrap();
    assert!(nothing.code == Some(1) && nothing.stderr.contains("nothing was typed"), "{nothing:?}");

    let created = typed(&dev, &create, &[secret]).unwrap().succeeded();
    assert!(created.stderr.contains("repeat") && !created.stderr.contains(secret), "{created:?}");
    assert_eq!(dev.admin.run(&["credential", "reveal", "One"]).succeeded().stdout, secret.as_bytes());
}

#[test]
fn a_new_passphrase_is_not_guessable() {
    let dev = Dev::start("");
    let key = dev.path("recovery.key");
    let create = ["recovery", "create", "--out", key.to_str().unwrap(), "--passphrase-file", "-"];
    let by_pipe = dev.admin.feed(&create, b"password1\n").failed_with(1);
    assert!(by_pipe.contains("too easy to guess"), "{by_pipe}");
    assert!(!key.exists());
    let Some(typed_twice) = typed(&dev, &create, &["wolf lamp cedar quiet marble"]) else { return };
    assert!(!typed_twice.succeeded().stderr.contains("cedar"));

    // Opening an archive asks once.
    let out = dev.path("sealed.zip.age");
    let export = ["backup", "export", "--out", out.to_str().unwrap(), "--passphrase-file", "-"];
    let _ = typed(&dev, &export, &["wolf lamp cedar quiet marble"]).unwrap().succeeded();
    let verify = ["archive", "verify", out.to_str().unwrap(), "--passphrase-file", "-"];
    let verified = typed(&dev, &verify, &["wolf lamp cedar quiet marble"]).unwrap().succeeded();
    assert!(!verified.stderr.contains("repeat"), "{verified:?}");
}

/// Each of these commands destroys something. Only the destruction of a key can be cancelled, for a time (`key undo`).
#[test]
fn a_destructive_command_asks_or_needs_yes() {
    let dev = Dev::start("");
    let id = dev.admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let token = dev.admin.json(&["token", "issue", "ci", "--role", "auditor"]);
    let token = token["token"]["id"].as_str().unwrap();
    let keys = dev.admin.json(&["key", "list"]);
    let kid = keys[0]["kid"].as_str().unwrap();
    let destructive: [(&[&str], &str); 4] = [
        (&["credential", "delete", "One"], "One"),
        (&["token", "revoke", "ci"], "ci"),
        (&["key", "destroy", kid], kid),
        (&["audit", "prune", "--older-than", "1d"], "no undo"),
    ];
    for (command, loss) in destructive {
        let alone = dev.admin.run(command).failed_with(2);
        assert!(alone.contains("--yes"), "{command:?}: {alone}");
        let Some(refused) = typed(&dev, command, &["no"]) else { return };
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(loss) && refused.stderr.contains("not confirmed"), "{refused:?}");
    }
    assert_eq!(dev.admin.json(&["credential", "get", &id])["displayName"], "One");
    let valid = dev.admin.json(&["token", "list"]);
    let ours = valid.as_array().unwrap().iter().find(|one| one["id"] == token).unwrap();
    assert!(ours["revokeTime"].is_null(), "{ours}");

    let _ = typed(&dev, &["credential", "delete", "One"], &["yes"]).unwrap().succeeded();
    let _ = dev.admin.run(&["credential", "get", &id]).failed_with(1);
    let _ = typed(&dev, &["token", "revoke", "ci"], &["yes"]).unwrap().succeeded();
}

#[test]
fn an_existing_file_is_replaced_with_force_only() {
    let dev = Dev::start("");
    let (file, original) = (dev.path("there"), b"somebody's".as_slice());
    let out = file.to_str().unwrap();
    let archive = dev.path("a.zip");
    let archive = archive.to_str().unwrap();
    let _ = dev.admin.run(&["backup", "export", "--plain", "--out", archive]).succeeded();
    let commands: [&[&str]; 4] = [
        &["backup", "export", "--plain", "--out", out],
        &["key", "export-public", "--out", out],
        &["archive", "reseal", archive, "--out", out],
        &["token", "issue", "ci", "--role", "auditor", "--out", out],
    ];
    for command in commands {
        std::fs::write(&file, original).unwrap();
        let refused = dev.admin.run(command).failed_with(1);
        assert!(refused.contains("--force") && refused.contains(out), "{command:?}: {refused}");
        assert_eq!(std::fs::read(&file).unwrap(), original, "{command:?}");
        let _ = dev.admin.run(&[command, &["--force"]].concat()).succeeded();
        assert_ne!(std::fs::read(&file).unwrap(), original, "{command:?}");
    }
    let before = std::fs::read(archive).unwrap();
    let itself = dev.admin.run(&["archive", "reseal", archive, "--out", archive, "--force"]).failed_with(1);
    assert!(itself.contains("the archive itself"), "{itself}");
    assert_eq!(std::fs::read(archive).unwrap(), before);
}

#[test]
fn an_expired_credential_is_renewed_and_never_shown_as_usable() {
    let dev = Dev::start("");
    let id = dev.admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let _ = dev.admin.run(&["reference", "bind", "endpoint", "7", &id]).succeeded();
    let _ = dev.admin.run(&["credential", "update", "One", "--expires", "1s"]).succeeded();
    let resolve = ["reference", "resolve", "endpoint", "7"];
    e2e::eventually("it expires", e2e::PATIENCE, || (dev.admin.run(&resolve).code == Some(1)).then_some(()));
    let list =
        |more: &[&str]| dev.admin.run(&[&["credential", "list"][..], more].concat()).succeeded().text();
    let shown = list(&[]);
    assert!(shown.contains("EXPIRES") && shown.contains("  expired  "), "{shown}");
    assert!(dev.admin.run(&["credential", "get", "One"]).succeeded().text().contains("active: expired"));
    assert!(list(&["--expiring-within", "30d"]).contains("One"));

    let _ = dev.admin.run(&["credential", "update", "One", "--expires", "never"]).succeeded();
    let _ = dev.admin.run(&resolve).succeeded();
    assert!(list(&[]).contains("  yes  ") && !list(&["--expiring-within", "30d"]).contains("One"));
    let _ = dev.admin.run(&["credential", "update", "One", "--expires", "90d"]).succeeded();
    assert!(!list(&["--expiring-within", "30d"]).contains("One"));
    assert!(list(&["--expiring-within", "91d"]).contains("One"));
}

#[test]
fn an_error_is_an_object_for_a_script() {
    let dev = Dev::start("");
    let error = |arguments: &[&str], code: i32| -> Value {
        let finished = dev.admin.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stdout.is_empty(), "{finished:?}");
        serde_json::from_str(&finished.stderr).unwrap_or_else(|_| panic!("{finished:?}"))
    };
    let missing = error(&["credential", "get", "0197e0a1-0000-7000-8000-00000000000a"], 1);
    assert_eq!(missing["code"], "NOT_FOUND");
    assert_eq!(missing["reason"], "CREDENTIAL_NOT_FOUND");
    assert!(missing["message"].as_str().unwrap().contains("0197e0a1"), "{missing}");
    assert_eq!(error(&["credential", "frobnicate"], 2)["code"], "INVALID_ARGUMENT");
    assert_eq!(error(&["credential", "delete", "One"], 2)["code"], "INVALID_ARGUMENT");
    let existing = dev.path("there");
    std::fs::write(&existing, "no archive").unwrap();
    let existing = existing.to_str().unwrap();
    for (arguments, code, reason) in [
        (&["archive", "inspect", "/nowhere"][..], "NOT_FOUND", "FILE_NOT_FOUND"),
        (&["archive", "inspect", existing], "DATA_LOSS", "ARCHIVE_DAMAGED"),
        (&["backup", "verify", "/nowhere"], "NOT_FOUND", "FILE_NOT_FOUND"),
        (&["backup", "export", "--plain", "--out", existing], "ALREADY_EXISTS", "FILE_EXISTS"),
        (&["credential", "get", "Nobody"], "NOT_FOUND", "CREDENTIAL_NOT_FOUND"),
        (&["token", "revoke", "nobody", "--yes"], "NOT_FOUND", "TOKEN_NOT_FOUND"),
    ] {
        let said = error(arguments, 1);
        assert_eq!((said["code"].as_str(), said["reason"].as_str()), (Some(code), Some(reason)), "{said}");
    }
    let stranger = dev.admin.with_token("").run(&["credential", "list", "-o", "json"]);
    let said: Value = serde_json::from_str(&stranger.stderr).unwrap();
    assert_eq!(said["reason"], "TOKEN_MISSING", "{said}");
    let mut away = program("strongroom");
    away.args(["credential", "list", "-o", "json"]).env("STRONGROOM_TOKEN", &dev.admin.token);
    away.env("STRONGROOM_VAULT_URL", format!("http://127.0.0.1:{}", e2e::free_port()));
    let away = e2e::finish(&mut away, b"", e2e::PATIENCE);
    assert_eq!(away.code, Some(4), "{away:?}");
    assert_eq!(serde_json::from_str::<Value>(&away.stderr).unwrap()["code"], "UNAVAILABLE");
}

#[test]
fn a_dash_is_standard_input() {
    let dev = Dev::start("");
    let (archive, temporary) = (dev.path("a.zip"), dev.path("temporary"));
    let archive = archive.to_str().unwrap();
    std::fs::create_dir(&temporary).unwrap();
    let _ = dev.admin.run(&["backup", "export", "--plain", "--out", archive]).succeeded();
    let _ = dev.admin.run(&["key", "export-public", "--out", &format!("{archive}.signer")]).succeeded();
    let signer = std::fs::read(format!("{archive}.signer")).unwrap();
    let bytes = std::fs::read(archive).unwrap();
    let piped = |arguments: &[&str], stdin: &[u8]| {
        let mut command = dev.admin.command(arguments);
        let finished = e2e::finish(command.env("TMPDIR", &temporary), stdin, e2e::PATIENCE);
        assert_eq!(temporary.read_dir().unwrap().count(), 0, "{arguments:?} leaves the copy");
        finished
    };
    let commands: [&[&str]; 7] = [
        &["archive", "inspect", "-"],
        &["archive", "verify", "-"],
        &["archive", "open", "-", "--table", "credentials"],
        &["archive", "reseal", "-", "--out", "-"],
        &["backup", "verify", "-"],
        &["audit", "verify", "--head", "-"],
        &["restore", "plan", "-", "--mode", "merge"],
    ];
    for command in commands {
        let _ = piped(command, &bytes).succeeded();
        let cut = piped(command, &bytes[..bytes.len() / 2]).failed_with(1);
        assert!(!cut.contains("/stdin"), "{command:?} names the copy: {cut}");
    }
    assert!(
        piped(&["archive", "verify", archive, "--signer", "-"], &signer)
            .succeeded()
            .text()
            .contains("signed by")
    );
    let twice = piped(&["archive", "verify", "-", "--signer", "-"], &signer).failed_with(2);
    assert!(twice.contains("read once"), "{twice}");
    let terminal = typed(&dev, &["archive", "inspect", "-"], &[]);
    assert!(terminal.is_none_or(|at| at.code == Some(2) && at.stderr.contains("is a terminal")));
}

#[test]
fn shells_complete_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = e2e::finish(program("strongroom").args(["completion", shell]), b"", e2e::PATIENCE);
        let script = script.succeeded().text();
        assert!(script.contains("credential") && script.contains("expiring-within"), "{shell}");
    }
    let Some(mut bash) = e2e::tool::tool("bash") else { return };
    let program = program("strongroom");
    let complete = "source <(\"$0\" completion bash)\nCOMP_WORDS=(strongroom credential rot)\nCOMP_CWORD=2\n\
                    _strongroom strongroom rot credential\necho \"${COMPREPLY[@]}\"";
    bash.args(["-c", complete]).arg(program.get_program());
    assert_eq!(e2e::finish(&mut bash, b"", e2e::PATIENCE).succeeded().text().trim(), "rotate");
}
