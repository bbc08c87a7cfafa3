//! The content of a container image: a root folder with one program and its libraries, made by the script that the
//! Dockerfile runs. Building it with a container engine is not tested.

mod compose;
mod dockerfile;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::image::Root;
use e2e::{Operator, PATIENCE, Service, eventually, finish, free_port, http, program, repository, tool};

const PROGRAMS: [&str; 3] = ["strongroom", "strongroom-vault", "strongroom-backup"];
/// Everything below `folder`, with its mode.
fn listed(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), metadata.mode());
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

/// The files of an image other than its program.
fn libraries() -> Vec<&'static str> {
    if cfg!(target_arch = "aarch64") {
        return vec![
            "lib/aarch64-linux-gnu/libc.so.6",
            "lib/aarch64-linux-gnu/libgcc_s.so.1",
            "lib/aarch64-linux-gnu/libm.so.6",
            "lib/ld-linux-aarch64.so.1",
        ];
    }
    vec![
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib/x86_64-linux-gnu/libgcc_s.so.1",
        "lib/x86_64-linux-gnu/libm.so.6",
        "lib64/ld-linux-x86-64.so.2",
    ]
}

#[test]
fn a_root_folder_has_the_program_its_libraries_certificates_and_nothing_else() {
    const KIND: u32 = 0o170_000;
    const FILE: u32 = 0o100_000;
    for name in PROGRAMS {
        let root = Root::of(name);
        let found = listed(&root.path("/"));
        let files: Vec<&str> =
            found.iter().filter(|(_, mode)| *mode & KIND == FILE).map(|(path, _)| path.as_str()).collect();
        let mut expected = libraries();
        expected.extend([name, "etc/passwd", "etc/ssl/certs/ca-certificates.crt"]);
        expected.sort_unstable();
        assert_eq!(files, expected);
        for (path, mode) in &found {
            let expected: &[u32] = match path.as_str() {
                "tmp" => &[0o41_777],
                path if path.starts_with("var/lib/strongroom") => &[0o41_777],
                _ => &[0o40_755, 0o100_755, 0o100_644],
            };
            assert!(expected.contains(mode), "{path} has the mode {mode:o}");
        }
        let passwd = std::fs::read_to_string(root.path("etc/passwd")).unwrap();
        assert_eq!(passwd.split(':').nth(2), Some(&*Root::USER.to_string()));
        let certificates = std::fs::read_to_string(root.path("etc/ssl/certs/ca-certificates.crt")).unwrap();
        assert!(certificates.matches("-----BEGIN CERTIFICATE-----").count() > 50);
    }
}

#[test]
fn a_root_folder_is_neither_replaced_nor_made_of_a_program_with_missing_libraries() {
    let folder = tempfile::tempdir().unwrap();
    let script = || Command::new(repository().join("deploy/image-root"));
    let built = program("strongroom").get_program().to_owned();
    assert_eq!(finish(script().arg(&built), b"", PATIENCE).code, Some(2));
    let refused = finish(script().arg(&built).arg(folder.path()), b"", PATIENCE).failed_with(1);
    assert!(refused.contains("exists"), "{refused}");
    // A program that needs a C library with an unknown name.
    let mut bytes = std::fs::read("/usr/bin/env").unwrap();
    let at = bytes.windows(10).position(|name| name == b"libc.so.6\0").unwrap();
    bytes[at + 3] = b'X';
    let broken = folder.path().join("broken");
    std::fs::write(&broken, bytes).unwrap();
    std::fs::set_permissions(&broken, PermissionsExt::from_mode(0o755)).unwrap();
    let refused = finish(script().arg(&broken).arg(folder.path().join("root")), b"", PATIENCE).failed_with(1);
    assert!(refused.contains("links libraries"), "{refused}");
}

/// Whether this process may change its root folder; otherwise reports that.
fn may_chroot() -> bool {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    assert!(root || std::env::var_os("CI").is_none(), "CI runs these tests as root");
    if !root {
        tool::skipped("the programs were not started in their images' root folders: that needs root");
    }
    root
}

#[test]
fn the_programs_serve_in_their_root_folders_as_an_unprivileged_user() {
    if !may_chroot() {
        return;
    }
    let [cli, vault, backup] = PROGRAMS.map(Root::of);
    for root in [&cli, &vault, &backup] {
        let version = finish(root.command().arg("--version"), b"", PATIENCE).succeeded().text();
        assert_eq!(version, format!("{} {}\n", &root.program[1..], env!("CARGO_PKG_VERSION")));
    }
    let [port, admin_port, backup_port, backup_admin_port] = [(); 4].map(|()| free_port());
    // The databases and the token are in the only folders that the user can write to.
    let new_root = finish(cli.command().args(["key", "new-root", "--out", "/tmp/root.key"]), b"", PATIENCE);
    assert_eq!(new_root.code, Some(0), "{}", new_root.said());
    vault.mount("run/root.key", &std::fs::read_to_string(cli.path("tmp/root.key")).unwrap(), 0o600);
    vault.mount(
        "etc/vault.toml",
        &format!(
            "[vault]\nlisten = \"127.0.0.1:{port}\"\nroot_key_file = \"/run/root.key\"\n\
             database_url = \"sqlite:/var/lib/strongroom/vault.db\"\nadmin_token_file = \"/tmp/admin.token\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin_port}\"\n"
        ),
        0o444,
    );
    let _vault = serve(&vault, "/etc/vault.toml", admin_port);
    let token = std::fs::read_to_string(vault.path("tmp/admin.token")).unwrap();
    let [vault_url, backup_url] = [port, backup_port].map(|port| format!("http://127.0.0.1:{port}"));
    let admin = Operator { vault_url, backup_url, token: token.trim().to_owned() };
    backup.mount("run/backup.token", &admin.issue("backup-service").token, 0o400);
    // Host names are resolved only by the C library.
    backup.mount("etc/hosts", "127.0.0.1 vault.internal\n", 0o444);
    backup.mount(
        "etc/backup.toml",
        &format!(
            "[app]\nname = \"Image\"\n[backup]\nlisten = \"127.0.0.1:{backup_port}\"\ntoken_file = \"/run/backup.token\"\n\
             vault.url = \"http://vault.internal:{port}\"\nvault.plaintext = true\n\
             database_url = \"sqlite:/var/lib/strongroom/backup.db\"\n\
             [[destinations]]\nname = \"nearby\"\nurl = \"file:///var/lib/strongroom/backups\"\n\
             [admin]\nlisten = \"127.0.0.1:{backup_admin_port}\"\n"
        ),
        0o444,
    );
    let _backup = serve(&backup, "/etc/backup.toml", backup_admin_port);
    let mut status = cli.command();
    status.env("STRONGROOM_VAULT_URL", &admin.vault_url).env("STRONGROOM_BACKUP_URL", &admin.backup_url);
    let status = finish(status.env("STRONGROOM_TOKEN", &admin.token).arg("status"), b"", PATIENCE);
    assert!(status.succeeded().text().contains("ready"));
}

/// Starts a service in its root folder and waits until it is alive and then ready.
fn serve(root: &Root, config: &str, admin_port: u16) -> Service {
    let mut service = Service::start(root.command().args(["--config", config]));
    service.wait_until_listening(admin_port);
    for path in ["/livez", "/readyz"] {
        let address = format!("127.0.0.1:{admin_port}");
        let is_fine = || http::get(&address, path).filter(|answer| answer.status == 200);
        let _ = eventually(&format!("{} {path}", root.program), Duration::from_secs(60), is_fine);
    }
    service
}
