//! deploy/compose.yaml and the files that it mounts: each part is read by the program that uses it, except for the
//! container engine's part.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use e2e::{PATIENCE, finish, program, repository, tool};

use super::dockerfile;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

/// The lines of each service, without comments.
fn services() -> BTreeMap<String, Vec<String>> {
    let text = read("deploy/compose.yaml");
    let section = text.split("\nservices:\n").nth(1).unwrap().split("\nvolumes:\n").next().unwrap();
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in section.lines().filter(|line| !line.is_empty() && !line.trim_start().starts_with('#')) {
        let line = line.strip_prefix("  ").unwrap();
        if line.starts_with(' ') {
            services.entry(name.clone()).or_default().push(line.trim().to_owned());
        } else {
            line.split(':').next().unwrap().clone_into(&mut name);
        }
    }
    services
}

#[test]
fn compose_understands_the_file() {
    let Some(mut compose) = tool::tool("docker-compose") else { return };
    // Debian ships version 1 of Docker Compose, which refuses the key `name` and understands everything else.
    let file = read("deploy/compose.yaml").replacen("name: strongroom\n", "", 1);
    compose.args(["-f", "-", "--project-directory"]).arg(repository().join("deploy")).arg("config");
    let understood =
        finish(compose.env("STRONGROOM_USER", "1000:1000"), file.as_bytes(), PATIENCE).succeeded().text();
    assert_eq!(understood.matches("user: 1000:1000").count(), 5, "{understood}");
}

#[test]
fn services_listen_on_loopback_take_secrets_as_files_and_are_checked() {
    let targets: BTreeSet<String> = dockerfile::stages().into_iter().map(|stage| stage.name).collect();
    let services = services();
    let names: BTreeSet<&str> = services.keys().map(String::as_str).collect();
    let expected = ["backup", "cli", "grafana", "postgres", "prometheus", "ready", "s3", "vault"];
    assert_eq!(names, expected.into());
    let volumes = read("deploy/compose.yaml").split("\nvolumes:\n").nth(1).unwrap().to_owned();
    for (name, lines) in &services {
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        // `ready` checks the health of `vault` and `backup`, and `cli` takes over the health check of `ready`.
        assert_eq!(has("healthcheck:"), !["vault", "backup", "cli"].contains(&name.as_str()), "{name}");
        for line in lines {
            if let Some(ports) = line.strip_prefix("ports: ") {
                for port in ports.split('"').skip(1).step_by(2) {
                    assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
                }
            }
            if let Some(build) = line.strip_prefix("build: ") {
                let target = build.split("target: ").nth(1).unwrap().trim_end_matches('}');
                assert!(targets.contains(target), "{name}: the Dockerfile has no target {target}");
            }
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let secret = ["PASSWORD", "TOKEN", "KEY"].iter().any(|word| key.contains(word));
            assert!(
                !secret || key.ends_with("_FILE") && value.starts_with("/run/secrets/"),
                "{name}: {line}"
            );
            let mounted = line.strip_prefix("- ").and_then(|mounted| mounted.split_once(':'));
            if let Some((path, _)) = mounted.filter(|(path, _)| path.starts_with('.')) {
                assert!(repository().join("deploy").join(path).exists(), "{name}: {path}");
            } else if let Some((volume, _)) = mounted {
                assert!(volumes.contains(&format!("  {volume}: {{}}\n")), "{name}: no volume {volume}");
            }
        }
        if has("image: strongroom") {
            for line in ["user: ${STRONGROOM_USER:-65532:65532}", "read_only: true", "cap_drop: [ALL]"] {
                assert!(has(line), "{name}: {line}");
            }
        }
    }
}

#[test]
fn the_services_understand_their_configurations() {
    let folder = tempfile::tempdir().unwrap();
    for (name, missing) in [("vault", "/run/secrets/root-key"), ("backup", "/run/secrets/backup-token")] {
        let config = folder.path().join(format!("{name}.toml"));
        let text = read(&format!("deploy/compose/{name}.toml"));
        std::fs::write(&config, text).unwrap();
        let mut command = program(&format!("strongroom-{name}"));
        // The container's ports may be in use on this machine.
        command.env(format!("STRONGROOM_{}__LISTEN", name.to_uppercase()), "127.0.0.1:0");
        let ended = finish(command.arg("--config").arg(&config), b"", PATIENCE);
        // The program accepts the configuration and stops at the first file that exists only in a container.
        assert!(ended.said().contains(missing), "{}", ended.said());
    }
}

/// The destinations of the file as it is and the one that is commented out.
#[test]
fn destinations_are_folders_of_volumes_and_a_service_with_its_secret() {
    let text = read("deploy/compose/backup.toml");
    let (_, sample) = text.split_once("| weed shell\"\n").unwrap();
    let sample = sample.split("\n\n").next().unwrap().replace("# ", "");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("backup.toml");
    std::fs::write(&config, format!("{text}\n{sample}\n")).unwrap();
    let mut command = program("strongroom-backup");
    command.env("STRONGROOM_BACKUP__LISTEN", "127.0.0.1:0").arg("--config").arg(&config);
    let ended = finish(&mut command, b"", PATIENCE);
    // The program accepts the configuration and stops at the first file that exists only in a container.
    assert!(ended.said().contains(" /run/secrets/"), "{}", ended.said());

    let compose = read("deploy/compose.yaml");
    assert!(sample.contains("s3://") && sample.contains("http://s3:8333"), "{sample}");
    assert!(compose.contains("  s3-credentials: {file: ./compose/secrets/s3.credentials}\n"));
    assert!(text.contains("url = \"file:///var/lib/strongroom/backups\"\n"), "{text}");
    for mounted in ["backup-data:/var/lib/strongroom\n", "backups:/var/lib/strongroom/backups\n"] {
        assert!(compose.contains(mounted), "{mounted}");
    }
}

#[test]
fn prometheus_understands_its_configuration_and_finds_the_services() {
    let config = read("deploy/compose/prometheus.yml");
    for (name, port) in [("vault", 7611), ("backup", 7612)] {
        assert!(config.contains(&format!("- job_name: strongroom-{name}\n")));
        assert!(config.contains(&format!("targets: [\"{name}:{port}\"]")));
        assert!(read(&format!("deploy/compose/{name}.toml")).contains(&format!("\"0.0.0.0:{port}\"")));
    }
    let Some(mut promtool) = tool::tool("promtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    std::fs::copy(repository().join("helm/strongroom/files/rules.yaml"), folder.path().join("rules.yaml"))
        .unwrap();
    let checked =
        finish(promtool.args(["check", "config", "prometheus.yml"]).current_dir(&folder), b"", PATIENCE);
    assert!(checked.succeeded().said().contains("1 rule files found"));
}

#[test]
fn the_secrets_are_made_once_and_are_those_that_compose_mounts() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("compose/new-secrets");
    std::fs::create_dir(script.parent().unwrap()).unwrap();
    std::fs::copy(repository().join("deploy/compose/new-secrets"), &script).unwrap();
    let strongroom = program("strongroom").get_program().to_owned();
    let programs = std::path::Path::new(&strongroom).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let make = || finish(Command::new(&script).env("PATH", &path), b"", PATIENCE);
    let _ = make().succeeded();
    let secrets = folder.path().join("compose/secrets");
    let mut made = BTreeSet::new();
    for entry in secrets.read_dir().unwrap() {
        let entry = entry.unwrap();
        let (mode, text) =
            (entry.metadata().unwrap().permissions().mode(), std::fs::read_to_string(entry.path()).unwrap());
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
        assert!(text.len() > 30 && text.ends_with('\n'), "{entry:?}");
        made.insert(entry.file_name().into_string().unwrap());
    }
    let compose = read("deploy/compose.yaml");
    let mounted = compose.lines().filter_map(|line| line.split("{file: ./compose/secrets/").nth(1));
    let mounted: BTreeSet<String> = mounted.map(|file| file.trim_end_matches('}').to_owned()).collect();
    assert_eq!(made, mounted);
    let s3: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(secrets.join("s3.json")).unwrap()).unwrap();
    let key = &s3["identities"][0]["credentials"][0];
    let credentials = std::fs::read_to_string(secrets.join("s3.credentials")).unwrap();
    let expected = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key["accessKey"].as_str().unwrap(),
        key["secretKey"].as_str().unwrap()
    );
    assert_eq!(credentials, expected);
    let user = std::fs::read_to_string(folder.path().join(".env")).unwrap();
    let owner = secrets.join("root.key").metadata().unwrap();
    assert_ne!(owner.uid(), 0, "the services would run as root");
    assert_eq!(user, format!("STRONGROOM_USER={}:{}\n", owner.uid(), owner.gid()));
    let before = std::fs::read(secrets.join("root.key")).unwrap();
    assert!(make().failed_with(1).contains("exists"));
    assert_eq!(std::fs::read(secrets.join("root.key")).unwrap(), before);
}
