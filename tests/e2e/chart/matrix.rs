//! The possible installs: every chart value that changes the rendered objects.

use std::sync::OnceLock;

use e2e::chart::{Chart, merge};
use serde_json::{Value, json};

use super::pairwise::{Case, Factor, cases};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Cases in which every pair of choices occurs.
pub(crate) fn all() -> Vec<Case> {
    let mut factors = vec![vault(), backup(), destinations(), tls(), network(), pods(), images(), sources()];
    factors.push(accounts());
    factors.extend(switches());
    cases(&factors)
}

/// The objects of each case, rendered once for all tests.
pub(crate) fn rendered(chart: &Chart) -> &'static [(String, Vec<Value>)] {
    static RENDERED: OnceLock<Vec<(String, Vec<Value>)>> = OnceLock::new();
    RENDERED.get_or_init(|| all().into_iter().map(|case| (case.name, chart.render(&case.values))).collect())
}

fn vault() -> Factor {
    let postgres = |more: Value| {
        let mut vault =
            json!({ "database": { "kind": "postgres", "postgres": { "existingSecret": "database" } } });
        merge(&mut vault, more);
        json!({ "vault": vault })
    };
    let old_keys =
        json!([{ "existingSecret": "root-2025", "key": "root.key" }, { "existingSecret": "root-2024" }]);
    Factor {
        name: "vault",
        choices: vec![
            ("sqlite", json!({})),
            ("sqlite-claim", json!({ "vault": { "database": { "sqlite": { "existingClaim": "mine" } } } })),
            (
                "sqlite-class",
                json!({ "vault": {
                    "database": { "sqlite": { "storageClass": "fast", "accessModes": ["ReadWriteOncePod"] } },
                    "previousRootKeys": old_keys,
                } }),
            ),
            ("postgres", postgres(json!({}))),
            ("postgres-3", postgres(json!({ "replicas": 3, "previousRootKeys": old_keys }))),
            ("postgres-hpa", postgres(json!({ "autoscaling": { "enabled": true } }))),
        ],
    }
}

fn backup() -> Factor {
    let postgres = |more: Value| {
        let mut backup =
            json!({ "database": { "kind": "postgres", "postgres": { "existingSecret": "catalogue" } } });
        merge(&mut backup, more);
        json!({ "backup": backup })
    };
    let behavior = json!({ "scaleDown": { "stabilizationWindowSeconds": 600 } });
    Factor {
        name: "backup",
        choices: vec![
            ("sqlite", json!({})),
            (
                "sqlite-claim",
                json!({ "backup": { "database": { "sqlite": { "existingClaim": "mine-too" } } } }),
            ),
            (
                "postgres-3-class",
                postgres(json!({ "replicas": 3, "staging": { "size": "200Gi", "storageClass": "big" } })),
            ),
            ("postgres-hpa", postgres(json!({ "autoscaling": { "enabled": true, "behavior": behavior } }))),
            ("postgres-hpa-of-1", postgres(json!({ "autoscaling": { "enabled": true, "minReplicas": 1 } }))),
        ],
    }
}

fn destinations() -> Factor {
    let bucket = json!({ "name": "offsite", "url": "s3://bucket/prefix", "region": "eu-central-1" });
    let own = json!({
        "name": "own_cloud",
        "url": "s3://bucket",
        "endpoint": "https://s3.example.com:8333",
        "path_style": true,
        "credentials": { "existingSecret": "s3", "key": "creds" },
        "ca": { "existingConfigMap": "bundle", "key": "bundle.pem" },
    });
    let folder = json!({ "name": "nearby", "existingClaim": "backups" });
    Factor {
        name: "destinations",
        choices: vec![
            ("none", json!({})),
            (
                "bucket",
                json!({ "backup": { "destinations": [bucket], "drill": { "sqlite": { "size": "1Gi" } } } }),
            ),
            (
                "folder",
                json!({ "backup": {
                    "destinations": [folder],
                    "drill": { "postgres": { "existingSecret": "scratch" } },
                } }),
            ),
            ("three", json!({ "backup": { "destinations": [own, folder, bucket] } })),
        ],
    }
}

fn tls() -> Factor {
    let secrets = json!({ "vault": "vault-tls", "backup": "backup-tls" });
    let issuer = json!({ "issuerRef": { "name": "internal", "kind": "ClusterIssuer" }, "vaultDnsNames": ["vault.example.com"] });
    let identities = json!({ "identities": [{ "san": "spiffe://cluster.local/ns/a/sa/b", "role": "gateway", "select": ["label.env=prod"] }] });
    Factor {
        name: "tls",
        choices: vec![
            ("none", json!({})),
            ("secrets", json!({ "tls": { "mode": "existingSecret", "existingSecrets": secrets } })),
            (
                "secrets-mutual",
                json!({
                    "tls": {
                        "mode": "existingSecret",
                        "existingSecrets": secrets,
                        "ca": { "existingSecret": "authorities", "key": "bundle.pem" },
                        "clientCA": { "existingConfigMap": "clients", "mode": "required" },
                    },
                    "vault": { "config": identities },
                }),
            ),
            ("cert-manager", json!({ "tls": { "mode": "certManager", "certManager": issuer } })),
            (
                "cert-manager-public",
                json!({ "tls": {
                    "mode": "certManager",
                    "certManager": issuer,
                    "ca": { "system": true },
                    "clientCA": { "existingSecret": "clients" },
                } }),
            ),
            (
                "cert-manager-bundle",
                json!({ "tls": { "mode": "certManager", "certManager": issuer, "ca": { "existingConfigMap": "bundle" } } }),
            ),
        ],
    }
}

fn network() -> Factor {
    let namespace = |name: &str| json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } });
    let egress = json!({
        "enabled": true,
        "storage": [{ "ipBlock": { "cidr": "203.0.113.0/24" } }],
        "vault": [{ "to": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }], "ports": [{ "port": 5432 }] }],
    });
    let narrow = json!({
        "clients": [namespace("gateway")],
        "monitoring": [namespace("monitoring")],
        "egress": egress,
    });
    Factor {
        name: "network",
        choices: vec![
            ("default", json!({})),
            ("off", json!({ "networkPolicy": { "enabled": false } })),
            ("narrow", json!({ "networkPolicy": narrow })),
        ],
    }
}

/// All values that are copied into pods unchanged.
fn pods() -> Factor {
    let extra = json!({
        "labels": { "team": "storage" },
        "annotations": { "example.com/on-call": "storage" },
        "podLabels": { "mesh": "in" },
        "podAnnotations": { "example.com/scan": "yes" },
        "nodeSelector": { "disk": "ssd" },
        "tolerations": [{ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["a", "b"] }] },
        ] } } },
        "topologySpreadConstraints": [
            { "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule" },
        ],
        "priorityClassName": "important",
        "extraEnv": [{ "name": "STRONGROOM_LOG", "value": "debug" }],
        "extraSecretMounts": [
            { "name": "one", "secretName": "a", "mountPath": "/etc/one" },
            { "name": "two", "secretName": "b", "mountPath": "/etc/two", "items": [{ "key": "url", "path": "database.url" }] },
        ],
        "extraVolumes": [{ "name": "files", "persistentVolumeClaim": { "claimName": "recordings", "readOnly": true } }],
        "extraVolumeMounts": [{ "name": "files", "mountPath": "/srv/recordings", "readOnly": true }],
        "preStopSleepSeconds": 0,
    });
    let open_shift =
        json!({ "runAsUser": null, "runAsGroup": null, "fsGroup": null, "fsGroupChangePolicy": null });
    Factor {
        name: "pods",
        choices: vec![
            ("default", json!({})),
            ("extra", json!({ "vault": extra, "backup": extra })),
            ("open-shift", json!({ "podSecurityContext": open_shift, "bindAddress": "[::]" })),
        ],
    }
}

fn images() -> Factor {
    let digest = json!({ "image": { "digest": DIGEST, "tag": "ignored" } });
    Factor {
        name: "images",
        choices: vec![
            ("default", json!({})),
            (
                "tags",
                json!({ "image": { "registry": "registry.example.com/a/" }, "vault": { "image": { "tag": "edge" } } }),
            ),
            (
                "digests",
                json!({
                    "image": { "registry": "registry.example.com", "pullPolicy": "Always" },
                    "imagePullSecrets": [{ "name": "registry" }],
                    "vault": digest, "backup": digest, "test": digest,
                }),
            ),
        ],
    }
}

fn sources() -> Factor {
    let sources = json!([
        { "name": "gateway", "kind": "postgres", "url_file": "/etc/two/database.url", "exclude": ["migrations"],
          "encrypted_columns": [{ "column": "servers.bearer", "key": "gateway", "aad": "{table}/{column}/{id}" }],
          "optional": [{ "name": "gateway_logs", "tables": ["gateway_logs"], "time_column": "created_at" }] },
        { "name": "sessions", "kind": "files", "path": "/srv/recordings" },
    ]);
    Factor {
        name: "sources",
        choices: vec![
            ("none", json!({ "test": { "tables": [] } })),
            (
                "two",
                json!({
                    "sources": sources,
                    "app": { "name": "Gateway \"A\" & B", "url": "https://gateway.example.com/?a=1&b=2" },
                    "seal": { "recovery_recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"] },
                    "telemetry": { "otlp_endpoint": "http://collector:4317", "plaintext": true, "sampling": 1 },
                    "backup": { "config": { "export_limit_seconds": 7200, "upload_limit_bytes": 137_438_953_472_i64 } },
                }),
            ),
        ],
    }
}

fn accounts() -> Factor {
    let none = json!({ "serviceAccount": { "create": false } });
    let named = json!({ "serviceAccount": { "name": "one-for-both", "create": false } });
    Factor {
        name: "accounts",
        choices: vec![
            ("default", json!({})),
            ("none", json!({ "vault": none, "backup": none })),
            ("named", json!({ "vault": named, "backup": named })),
        ],
    }
}

fn switches() -> Vec<Factor> {
    let switch = |name, on: Value| Factor { name, choices: vec![("default", json!({})), ("changed", on)] };
    let no_budget = json!({ "podDisruptionBudget": { "enabled": false } });
    let label = json!({ "release": "prometheus" });
    vec![
        switch("budgets", json!({ "vault": no_budget, "backup": no_budget })),
        switch("monitor", json!({ "serviceMonitor": { "enabled": true, "labels": label } })),
        switch("rules", json!({ "prometheusRule": { "enabled": true, "labels": label } })),
        switch(
            "dashboards",
            json!({ "dashboards": { "enabled": true, "annotations": { "folder": "Strongroom" } } }),
        ),
        switch(
            "names",
            json!({
                "fullnameOverride": "a-name-that-is-far-too-long-for-an-object-of-kubernetes",
                "commonLabels": { "cost-centre": "4711" },
                "commonAnnotations": { "example.com/owner": "platform" },
            }),
        ),
        switch(
            "published",
            json!({ "vault": { "service": { "type": "LoadBalancer", "annotations": { "example.com/internal": "true" } } } }),
        ),
    ]
}
