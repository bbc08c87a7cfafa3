//! Rules beyond the schemas: the restricted Pod Security Standard, and requirements for upgrades and drains.

use e2e::chart::{Container, Variable, Volume, containers, of_kind, pod_spec};
use serde_json::{Value, json};

/// Volume types that the restricted standard allows.
const VOLUMES: [&str; 7] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"];

/// Fails and names the case if a rule is broken.
pub(crate) fn check(case: &str, objects: &[Value]) {
    assert_eq!(of_kind(objects, "Secret").count(), 0, "{case}: the chart makes no Secret");
    for object in objects {
        check_name(case, object);
        if let Some(pod) = pod_spec(object) {
            let what = format!("{case}: {} {}", object["kind"], object["metadata"]["name"]);
            check_pod(&what, pod);
            for container in containers(objects, object) {
                check_container(&what, &container);
            }
        }
    }
    for deployment in of_kind(objects, "Deployment") {
        check_replicas(case, objects, deployment);
        check_selectors(case, objects, deployment);
    }
    check_monitor(case, objects);
}

fn check_name(case: &str, object: &Value) {
    let name = object["metadata"]["name"].as_str().unwrap();
    assert!(name.len() <= 63, "{case}: {name} is no DNS label");
    assert_eq!(object["metadata"]["namespace"], "strongroom", "{case}: {name}");
    assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/instance"], "strongroom", "{case}: {name}");
}

fn check_pod(what: &str, pod: &Value) {
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true, "{what}");
    assert_ne!(security["runAsUser"], 0, "{what}");
    assert_eq!(security["seccompProfile"], json!({ "type": "RuntimeDefault" }), "{what}");
    assert_eq!(pod["automountServiceAccountToken"], false, "{what}");
    for host in ["hostNetwork", "hostPID", "hostIPC", "hostUsers"] {
        assert!(pod.get(host).is_none(), "{what}: {host}");
    }
    for volume in pod["volumes"].as_array().unwrap() {
        let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
        assert!(kind == "secret" || VOLUMES.contains(&kind.as_str()), "{what}: {volume}");
        if kind == "emptyDir" {
            assert!(volume[kind]["sizeLimit"].is_string(), "{what}: {volume} can fill the node");
        }
    }
    let all = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array()).flatten();
    for manifest in all {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        });
        assert_eq!(manifest["securityContext"], expected, "{what}");
        assert!(manifest["resources"]["limits"]["memory"].is_string(), "{what}: {manifest}");
        let ports = manifest["ports"].as_array().into_iter().flatten();
        assert!(ports.into_iter().all(|port| port.get("hostPort").is_none()), "{what}");
    }
}

/// Secrets are files that only the pod's group can read; the pod can write to no other file.
fn check_container(what: &str, container: &Container) {
    let Container { name, command, image, .. } = container;
    assert!(command.len() == 1 && command[0].starts_with("/strongroom"), "{what}: {command:?}");
    // Digests are stronger than tags; without a value, the tag is this version's.
    let version = concat!(":", env!("CARGO_PKG_VERSION"));
    let tagged = [version, ":edge"].iter().any(|tag| image.ends_with(tag));
    assert_ne!(image.contains("@sha256:"), tagged, "{what}: {image}");
    for (variable, value) in &container.env {
        assert!(!matches!(value, Variable::Other(_)), "{what}: {variable} comes from elsewhere");
    }
    let mut paths: Vec<&str> = container.mounts.iter().map(|mount| mount.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), container.mounts.len(), "{what}: {name} mounts one path twice");
    for mount in &container.mounts {
        let writable = match &mount.volume {
            Volume::Secrets { mode, .. } => {
                assert_eq!(*mode, 0o440, "{what}: {}", mount.path);
                false
            }
            Volume::Empty | Volume::Claim(_) => true,
            Volume::Other(manifest) => manifest.get("ephemeral").is_some(),
            Volume::ConfigMap { .. } | Volume::Pod(_) => false,
        };
        assert!(writable || mount.read_only, "{what}: {} is writable", mount.path);
    }
}

fn check_replicas(case: &str, objects: &[Value], deployment: &Value) {
    let name = &deployment["metadata"]["name"];
    let named = |kind| of_kind(objects, kind).find(|object| object["metadata"]["name"] == *name);
    let (spec, scaler) = (&deployment["spec"], named("HorizontalPodAutoscaler"));
    assert_eq!(
        spec.get("replicas").is_none(),
        scaler.is_some(),
        "{case}: {name}: replicas beside an autoscaler"
    );
    let least = scaler.map_or(&spec["replicas"], |scaler| &scaler["spec"]["minReplicas"]).as_u64().unwrap();
    let budget = named("PodDisruptionBudget");
    let wanted = least > 1 && !case.contains("budgets=changed");
    assert_eq!(budget.is_some(), wanted, "{case}: {name}: a budget for {least}");
    if let Some(budget) = budget {
        assert_eq!(budget["spec"]["maxUnavailable"], 1, "{case}");
        assert_eq!(budget["spec"]["selector"], spec["selector"], "{case}");
    }
    let component = &spec["selector"]["matchLabels"]["app.kubernetes.io/component"];
    if case.contains(&format!("{}=sqlite", component.as_str().unwrap())) {
        assert_eq!(spec["strategy"], json!({ "type": "Recreate" }), "{case}");
        assert_eq!(spec["replicas"], 1, "{case}");
    } else {
        assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "{case}");
    }
    let sleep =
        spec["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
    let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert_eq!(grace, Some(30 + sleep.unwrap_or(0)), "{case}: {name}: the sleep is not taken from the drain");
}

/// A Deployment's selector can never change, and every other selector for its pods must match them.
fn check_selectors(case: &str, objects: &[Value], deployment: &Value) {
    let labels = deployment["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
    let selects = |selector: &Value| {
        selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let own = &deployment["spec"]["selector"]["matchLabels"];
    assert!(selects(own), "{case}: {own} does not select {labels:?}");
    let mut keys: Vec<&String> = own.as_object().unwrap().keys().collect();
    keys.sort_unstable();
    let expected = ["component", "instance", "name"].map(|key| format!("app.kubernetes.io/{key}"));
    assert_eq!(
        keys,
        expected.iter().collect::<Vec<_>>(),
        "{case}: a version or a label of the user's is in it"
    );
    let services: Vec<&Value> =
        of_kind(objects, "Service").filter(|service| selects(&service["spec"]["selector"])).collect();
    assert_eq!(services.len(), 2, "{case}: the API and the admin port");
    let ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"].as_array().unwrap();
    for port in services.iter().flat_map(|service| service["spec"]["ports"].as_array().unwrap()) {
        let target = ports.iter().find(|container| container["name"] == port["targetPort"]);
        assert_eq!(target.unwrap()["containerPort"], port["port"], "{case}: {port}");
    }
    let policies = of_kind(objects, "NetworkPolicy");
    let policies = policies.filter(|policy| selects(&policy["spec"]["podSelector"]["matchLabels"])).count();
    assert_eq!(policies, usize::from(!case.contains("network=off")), "{case}");
}

/// A ServiceMonitor that selects nothing fails silently.
fn check_monitor(case: &str, objects: &[Value]) {
    let Some(monitor) = of_kind(objects, "ServiceMonitor").next() else { return };
    let selector = &monitor["spec"]["selector"];
    let components = selector["matchExpressions"][0]["values"].as_array().unwrap();
    let found = of_kind(objects, "Service").filter(|service| {
        let labels = &service["metadata"]["labels"];
        let matches =
            selector["matchLabels"].as_object().unwrap().iter().all(|(key, value)| labels[key] == *value);
        let port = &service["spec"]["ports"][0]["name"];
        matches
            && components.contains(&labels["app.kubernetes.io/component"])
            && *port == monitor["spec"]["endpoints"][0]["port"]
    });
    assert_eq!(found.count(), 2, "{case}: both admin ports are scraped");
}
