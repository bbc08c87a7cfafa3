//! The commands that the chart suggests and those of `helm test`, run as written.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::chart::{Chart, Container, RELEASE, Volume, containers, object, of_kind, values};
use e2e::{Dev, finish, program};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Each refusal names the next step, and following them all leads to an install.
#[test]
fn a_refusal_names_commands_that_lead_on() {
    let Some(chart) = Chart::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("database.url"), "postgres://vault@db/vault").unwrap();
    let postgres = json!({ "database": { "kind": "postgres" } });
    let mut chosen = json!({ "vault": postgres, "backup": postgres });
    let mut secrets = Vec::new();
    for value in [
        "vault.rootKey.existingSecret",
        "tokens.existingSecret",
        "vault.database.postgres.existingSecret",
        "backup.database.postgres.existingSecret",
    ] {
        let said = chart.refusal(&chosen);
        assert!(said.contains(&format!("{value} is not set")), "{said}");
        for line in said.lines().filter_map(|line| line.strip_prefix("  ")) {
            secrets.extend(typed(&chart, folder.path(), line));
        }
        let (_, set) = said.split_once(&format!("set {value}=")).unwrap();
        set_value(&mut chosen, value, set.split('.').next().unwrap());
    }
    let objects = chart.render(&chosen);
    for container in of_kind(&objects, "Deployment").flat_map(|owner| containers(&objects, owner)) {
        for mount in &container.mounts {
            let Volume::Secrets { files, .. } = &mount.volume else { continue };
            for file in files {
                let made =
                    secrets.iter().any(|(name, keys)| *name == file.secret && keys.contains(&file.key));
                assert!(made, "{file:?} is mounted, but the commands made {secrets:?}");
            }
        }
    }
}

/// Runs a suggested command, kubectl without a cluster. Returns the name and the keys of the Secret that it creates.
fn typed(chart: &Chart, folder: &Path, line: &str) -> Option<(String, Vec<String>)> {
    let mut words = line.split(' ');
    let mut command = match words.next().unwrap() {
        "strongroom" => program("strongroom"),
        "kubectl" => chart.tool("kubectl"),
        other => panic!("{other}: {line}"),
    };
    let is_kubectl = line.starts_with("kubectl");
    command.args(words).current_dir(folder);
    if is_kubectl {
        command.args(["--dry-run=client", "--output", "json"]);
    }
    let finished = finish(&mut command, b"", PATIENCE).succeeded();
    is_kubectl.then(|| {
        let secret = finished.json();
        let keys = secret["data"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(secret["metadata"]["namespace"], RELEASE, "{line}");
        (secret["metadata"]["name"].as_str().unwrap().to_owned(), keys)
    })
}

fn set_value(values: &mut Value, path: &str, value: &str) {
    let mut place = values;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = json!(value);
}

#[test]
fn the_notes_name_objects_that_exist() {
    let Some(chart) = Chart::open() else { return };
    let notes = |changes: Value| {
        let text = chart.helm(&["install", RELEASE, "--dry-run=client"], &values(changes)).succeeded().text();
        text.split_once("\nNOTES:\n").unwrap().1.to_owned()
    };
    let plain = notes(json!({}));
    let objects = chart.render(&values(json!({})));
    let named = plain.split_whitespace().filter_map(|word| word.strip_prefix("deployment/"));
    let named: Vec<&str> = named.collect();
    assert_eq!(named, ["strongroom-vault", "strongroom-backup", "strongroom-backup"], "{plain}");
    for name in named {
        let _ = object(&objects, "Deployment", name);
    }
    for part in ["\n1. ", "\n2. ", "\n3. ", "NOT encrypted", "http://strongroom-vault.strongroom.svc:7601"] {
        assert!(plain.contains(part), "no {part:?} in {plain}");
    }
    let encrypted =
        notes(json!({ "tls": { "mode": "certManager", "certManager": { "issuerRef": { "name": "a" } } } }));
    assert!(encrypted.contains("https://strongroom-vault.strongroom.svc:7601"), "{encrypted}");
    assert!(!encrypted.contains("NOT encrypted"), "{encrypted}");
}

/// `helm test` without a cluster: its steps in order, against real services.
#[test]
fn the_test_of_a_release_passes_and_leaves_nothing() {
    let Some(chart) = Chart::open() else { return };
    let dev = Dev::start("");
    let objects = chart.render(&values(json!({})));
    let pod = object(&objects, "Pod", "strongroom-test");
    for folder in ["archive", "tokens", "pod"] {
        std::fs::create_dir(dev.path(folder)).unwrap();
    }
    strongroom_testkit::write_private(dev.path("tokens/admin.token"), &dev.admin.token);
    // Two runs in sequence.
    for uid in ["0b5e1f4c-6f0e-4f0e-9a55-7d0f3a1c2b3d", "7c0f9a2e-1111-4c1d-8f53-0a1b2c3d4e5f"] {
        strongroom_testkit::write_private(dev.path("pod/uid"), uid);
        let steps = containers(&objects, pod);
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["create", "reveal", "delete", "export", "verify"]);
        for step in steps {
            let finished = finish(&mut step_command(&dev, &step, uid), b"", PATIENCE).succeeded();
            if step.name == "reveal" {
                assert_eq!(finished.text(), uid);
            }
        }
    }
    assert_eq!(dev.admin.json(&["credential", "list"]), json!([]));
}

/// The step as the pod runs it, with the pod's folders inside that of `dev`.
fn step_command(dev: &Dev, step: &Container, uid: &str) -> Command {
    let environment = step.environment(|field| {
        assert_eq!(field, "metadata.uid");
        uid.to_owned()
    });
    let here = |text: &str| {
        let mounted = step.mounts.iter().find(|mount| text.starts_with(&format!("{}/", mount.path)));
        mounted.map_or_else(
            || text.to_owned(),
            |mount| {
                let folder = mount.path.rsplit('/').next().unwrap();
                dev.path(folder).join(&text[mount.path.len() + 1..]).to_str().unwrap().to_owned()
            },
        )
    };
    let mut command = program(step.command[0].trim_start_matches('/'));
    command.args(step.arguments(&environment).iter().map(|argument| here(argument)));
    for (name, value) in &environment {
        let value = match name.as_str() {
            "STRONGROOM_VAULT_URL" => dev.admin.vault_url.clone(),
            "STRONGROOM_BACKUP_URL" => dev.admin.backup_url.clone(),
            _ => here(value),
        };
        command.env(name, value);
    }
    command
}
