//! The symptom index lists every code that a service returns, and the configuration reference lists every variable.
//! Codes and variables are read from the sources, because a separate list would be a third one to maintain.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::repository;

/// The sources that use codes and variables.
const SOURCES: [&str; 4] =
    ["services/vault/src", "services/backup/src", "services/ctl/src", "shared/runtime/src"];

/// gRPC's own codes, except `INTERNAL` and `UNAUTHENTICATED`, which are also reasons of ours; and `ERROR`, which
/// OpenTelemetry gives to a span.
const GRPC: [&str; 16] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "UNAVAILABLE",
    "DATA_LOSS",
    "ERROR",
];

/// Words in capitals that are neither our codes nor our variables: SQL, argument names, prefixes.
const WORDS: [&str; 8] =
    ["COMMIT", "ROLLBACK", "FILE", "STRONGROOM", "HOSTNAME", "TRACEPARENT", "CARGO_", "OTEL_"];

/// Modules that are not in a release.
const TESTS: [&str; 5] = ["tests", "contract", "twins", "reference", "failpoint"];

/// Quoted constants in capitals in code that is compiled into the programs.
fn constants(folders: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in folders {
        collect(&repository().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if TESTS.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\n").next().unwrap_or_default();
            found.extend(program.split('"').filter(|text| is_constant(text)).map(str::to_owned));
        }
    }
}

fn is_constant(text: &str) -> bool {
    text.len() > 3
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && !text.ends_with('_')
        && text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// The constants between backticks in a page.
fn named(page: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    text.split('`').skip(1).step_by(2).filter(|text| is_constant(text)).map(str::to_owned).collect()
}

#[test]
fn each_code_is_in_the_index_and_the_index_has_no_other() {
    let is_word =
        |text: &str| WORDS.iter().any(|word| text == *word || word.ends_with('_') && text.starts_with(word));
    let is_ours =
        |text: &String| !GRPC.contains(&&**text) && !text.starts_with("STRONGROOM_") && !is_word(text);
    // The command repeats the services' codes; its own are in `error`. Codes that refuse a restore are in the code for
    // databases.
    let mut services: Vec<_> = SOURCES.into_iter().filter(|folder| !folder.contains("ctl")).collect();
    services.push("shared/tables/src/load");
    services.push("services/ctl/src/error");
    let used: BTreeSet<_> = constants(&services).into_iter().filter(is_ours).collect();
    let listed: BTreeSet<_> = named("docs/symptoms.md").into_iter().filter(is_ours).collect();
    assert!(used.len() > 70, "{used:?}");
    let missing: Vec<_> = used.difference(&listed).collect();
    let unused: Vec<_> = listed.difference(&used).collect();
    assert!(missing.is_empty(), "docs/symptoms.md lacks {missing:?}");
    assert!(unused.is_empty(), "docs/symptoms.md lists what no service answers with: {unused:?}");
}

#[test]
fn each_variable_is_in_the_reference() {
    let variables = constants(&SOURCES).into_iter().filter(|text| text.starts_with("STRONGROOM_"));
    let variables: BTreeSet<_> =
        variables.filter(|text| !text.contains("__") && !text.ends_with('_')).collect();
    let listed = named("docs/configuration.md");
    assert!(variables.len() > 8, "{variables:?}");
    let missing: Vec<_> = variables.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks {missing:?}");
}
