//! deploy/Dockerfile against the repository: all files, programs and names in it exist. No engine reads it here.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use e2e::repository;

/// A stage: its name, its base, and its instructions.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) name: String,
    from: String,
    instructions: Vec<(String, String)>,
}

impl Stage {
    fn all(&self, instruction: &str) -> Vec<&str> {
        let named = self.instructions.iter().filter(|(name, _)| name == instruction);
        named.map(|(_, arguments)| arguments.as_str()).collect()
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

/// Instructions before the first stage, and the stages.
fn parsed() -> (BTreeMap<String, String>, Vec<Stage>) {
    let text = read("deploy/Dockerfile").replace("\\\n", " ");
    let mut arguments = BTreeMap::new();
    let mut stages: Vec<Stage> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        match (instruction, stages.last_mut()) {
            ("FROM", _) => {
                let (from, name) = rest.split_once(" AS ").expect("each stage has a name");
                stages.push(Stage { name: name.to_owned(), from: from.to_owned(), ..Stage::default() });
            }
            ("ARG", None) => {
                let (name, value) = rest.split_once('=').unwrap();
                arguments.insert(name.to_owned(), value.to_owned());
            }
            (_, None) => panic!("{instruction} stands before the first stage"),
            (_, Some(stage)) => stage.instructions.push((instruction.to_owned(), rest)),
        }
    }
    (arguments, stages)
}

/// The stages of deploy/Dockerfile.
pub(super) fn stages() -> Vec<Stage> {
    parsed().1
}

#[test]
fn images_are_made_of_nothing_but_a_root_folder_and_run_as_a_number() {
    let stages = stages();
    let build = &stages[0];
    let runs = build.all("RUN").join(" ");
    for (target, program, ports) in [
        ("vault", "/strongroom-vault", Some("7601 7611")),
        ("backup", "/strongroom-backup", Some("7602 7612")),
        ("cli", "/strongroom", None),
    ] {
        let stage = stages.iter().find(|stage| stage.name == target).unwrap();
        assert_eq!(stage.from, "scratch");
        assert_eq!(stage.all("COPY"), [format!("--from=build /roots/{target}/ /")]);
        assert!(runs.contains(&format!("deploy/image-root /programs{program} /roots/{target}")), "{runs}");
        assert_eq!(stage.all("USER"), ["65532:65532"]);
        assert_eq!(stage.all("ENTRYPOINT"), [format!("[\"{program}\"]")]);
        assert_eq!(stage.all("EXPOSE"), Vec::from_iter(ports));
        assert!(stage.all("RUN").is_empty() && stage.all("ADD").is_empty(), "{target}");
        let version = format!("VERSION={}", env!("CARGO_PKG_VERSION"));
        assert!(stage.all("ARG").contains(&version.as_str()), "{target} has another version");
        assert!(stage.all("LABEL")[0].contains("org.opencontainers.image.licenses=\"Apache-2.0\""));
    }
    let symbols = stages.iter().find(|stage| stage.name == "symbols").unwrap();
    assert_eq!(symbols.all("COPY"), ["--from=build /symbols/ /"]);
}

#[test]
fn the_build_stage_takes_the_release_of_ci_and_runs_what_the_context_has() {
    let (arguments, stages) = parsed();
    assert_eq!(stages[0].from, "rust:${RUST}-bookworm");
    let release = &arguments["RUST"];
    assert!(read("rust-toolchain.toml").contains(&format!("CI runs {release}.")), "{release}");
    assert_eq!(stages[0].all("ENV"), ["RUSTUP_TOOLCHAIN=${RUST_VERSION}"]);
    assert_eq!(stages[0].all("ARG"), ["PROFILE=dist"]);
    assert!(read("Cargo.toml").contains("\n[profile.dist]\n"));
    let runs = stages[0].all("RUN").join(" && ");
    let scripts = runs.split(' ').filter(|word| word.starts_with("deploy/"));
    let context = read(".dockerignore");
    for script in scripts {
        let mode = std::fs::metadata(repository().join(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} cannot be run");
        assert!(context.contains(&format!("\n!{script}\n")), "{script} is not in the context");
    }
    for program in super::PROGRAMS {
        assert!(runs.contains(&format!("--bin {program} ")), "{program} is not built: {runs}");
    }
}

#[test]
fn the_context_is_an_allow_list_with_all_that_cargo_reads() {
    let context = read(".dockerignore");
    let lines: Vec<&str> = context.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*");
    let allowed: Vec<&str> = lines[1..].iter().map(|line| line.strip_prefix('!').unwrap()).collect();
    for path in &allowed {
        assert!(repository().join(path).exists(), "{path} does not exist");
    }
    let has = |path: &str| {
        allowed.iter().any(|allowed| path == *allowed || path.starts_with(&format!("{allowed}/")))
    };
    for needed in
        ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "proto/strongroom", "deploy/sample/gateway.sql"]
    {
        assert!(has(needed), "{needed} is not in the context");
    }
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(has(member.trim_end_matches("/*")), "{member} is not in the context");
    }
    for secret in ["deploy/.env", "deploy/compose/secrets", ".git", "target"] {
        assert!(!has(secret), "{secret} is in the context");
    }
}
