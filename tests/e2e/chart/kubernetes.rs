//! Every case of the matrix is valid for Kubernetes and follows the rules that schemas cannot express.

use std::time::Duration;

use e2e::chart::{Chart, merge, values};
use e2e::{finish, repository};
use serde_json::{Value, json};

use super::{matrix, rules};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn every_two_choices_make_valid_objects_that_keep_the_rules() {
    let Some(chart) = Chart::open() else { return };
    let rendered = matrix::rendered(&chart);
    for (name, objects) in rendered {
        rules::check(name, objects);
    }
    validate(&chart, rendered);
}

/// Validates against the schemas of three Kubernetes versions and the custom resource schemas beside this file.
fn validate(chart: &Chart, rendered: &[(String, Vec<Value>)]) {
    let cases: Vec<Value> =
        rendered.iter().map(|(name, objects)| json!({ "name": name, "objects": objects })).collect();
    let folder = repository().join("tests/e2e/chart");
    let mut python = chart.tool("python3");
    python.arg(folder.join("validate.py")).arg(folder.join("schemas"));
    let report = finish(&mut python, json!(cases).to_string().as_bytes(), PATIENCE).succeeded().json();
    assert_eq!(report["problems"], json!([]));
    let versions: Vec<&String> = report["checked"].as_object().unwrap().keys().collect();
    assert_eq!(versions.len(), 4, "custom resources, and three versions of Kubernetes: {versions:?}");
}

#[test]
fn lint_is_content() {
    let Some(chart) = Chart::open() else { return };
    for changes in
        [json!({}), json!({ "dashboards": { "enabled": true }, "prometheusRule": { "enabled": true } })]
    {
        let said = chart.helm(&["lint", "--strict"], &values(changes)).succeeded().said();
        assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
    }
}

/// Output that differs between renders restarts pods without need or, worse, is a secret.
#[test]
fn nothing_is_random() {
    let Some(chart) = Chart::open() else { return };
    let case = matrix::all().swap_remove(0);
    assert_eq!(chart.template(&case.values).text(), chart.template(&case.values).text());
}

/// Pods restart for a changed configuration, but not for a new chart version.
#[test]
fn the_checksum_follows_the_configuration_alone() {
    let Some(chart) = Chart::open() else { return };
    let checksums = |chart: &Chart, changes: Value| {
        let objects = chart.render(&values(changes));
        ["vault", "backup"].map(|service| {
            let deployment =
                e2e::chart::object(&objects, "Deployment", &format!("strongroom-{service}")).clone();
            let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
            annotations["checksum/config"].as_str().unwrap().to_owned()
        })
    };
    let before = checksums(&chart, json!({}));

    let source = json!([{ "name": "files", "kind": "files", "path": "/srv" }]);
    let [vault, backup] = checksums(&chart, json!({ "sources": source }));
    assert_eq!(vault, before[0], "sources are the backup service's");
    assert_ne!(backup, before[1]);
    let [vault, backup] = checksums(&chart, json!({ "log": { "level": "debug" } }));
    assert!(vault != before[0] && backup != before[1]);

    let mut elsewhere = json!({ "commonLabels": { "a": "b" }, "commonAnnotations": { "a": "b" } });
    merge(
        &mut elsewhere,
        json!({ "backup": { "preStopSleepSeconds": 9 }, "networkPolicy": { "enabled": false } }),
    );
    assert_eq!(checksums(&chart, elsewhere), before);
    let copy = tempfile::tempdir().unwrap();
    let newer = copy_with_version(&chart, copy.path(), "9.9.9");
    assert_eq!(checksums(&newer, json!({})), before);
    let text = newer.template(&values(json!({}))).text();
    assert!(text.contains("helm.sh/chart: strongroom-9.9.9"), "the copy has another version");
}

fn copy_with_version(chart: &Chart, to: &std::path::Path, version: &str) -> Chart {
    let mut copy = std::process::Command::new("cp");
    let _ = finish(copy.arg("-r").arg(chart.folder().join(".")).arg(to), b"", PATIENCE).succeeded();
    let file = to.join("Chart.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let old = text.lines().find(|line| line.starts_with("version: ")).unwrap();
    std::fs::write(&file, text.replace(old, &format!("version: {version}"))).unwrap();
    chart.at(to)
}
