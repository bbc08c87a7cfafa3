//! Refused values: mistakes that would otherwise select the default, and secrets in plain text.

use e2e::chart::{Chart, values};
use serde_json::{Value, json};

/// Asserts that these changes are refused and that the message contains all of these parts.
fn refused(chart: &Chart, changes: &Value, parts: &[&str]) {
    let said = chart.refusal(&values(changes.clone()));
    for part in parts {
        assert!(said.contains(part), "{changes}: no {part:?} in\n{said}");
    }
}

#[test]
fn types_and_unknown_keys_are_refused_by_name() {
    let Some(chart) = Chart::open() else { return };
    for (changes, parts) in [
        (json!({ "vault": { "replicas": "3" } }), ["/vault/replicas", "got string, want integer"]),
        (json!({ "backup": { "replicas": 1.5 } }), ["/backup/replicas", "want integer"]),
        (
            json!({ "vault": { "database": { "kind": "mysql" } } }),
            ["/vault/database/kind", "'sqlite', 'postgres'"],
        ),
        (json!({ "tls": { "mode": true } }), ["/tls/mode", "'none', 'existingSecret', 'certManager'"]),
        (json!({ "replicaCount": 3 }), ["''", "'replicaCount' not allowed"]),
        (json!({ "vault": { "replicaCount": 3 } }), ["'/vault'", "'replicaCount' not allowed"]),
        (json!({ "vault": { "service": { "port": 1 } } }), ["'/vault/service'", "'port' not allowed"]),
        (
            json!({ "backup": { "config": { "export_limit": 1 } } }),
            ["'/backup/config'", "'export_limit' not allowed"],
        ),
        (json!({ "backup": { "config": { "stall_seconds": 0 } } }), ["stall_seconds", "got 0, want 1"]),
        (json!({ "sources": [{ "name": "a", "kind": "mysql" }] }), ["/sources/0/kind", "'postgres'"]),
        (json!({ "sources": [{ "kind": "files" }] }), ["/sources/0", "missing property 'name'"]),
        (json!({ "log": { "format": "xml" } }), ["/log/format", "'json', 'text'"]),
        (json!({ "telemetry": { "sampling": 2 } }), ["/telemetry/sampling", "got 2, want 1"]),
        (
            json!({ "backup": { "database": { "kind": "mysql" } } }),
            ["/backup/database/kind", "'sqlite', 'postgres'"],
        ),
        (
            json!({ "backup": { "destinations": [{ "url": "s3://b" }] } }),
            ["/backup/destinations/0", "missing property 'name'"],
        ),
        (
            json!({ "backup": { "destinations": [{ "name": "a", "url": "s3://b", "credentials_file": "/a" }] } }),
            ["/backup/destinations/0", "'credentials_file' not allowed"],
        ),
        (json!({ "vault": { "image": { "digest": "latest" } } }), ["/vault/image/digest", "sha256"]),
        (json!({ "backup": { "staging": { "size": "10G" } } }), ["/backup/staging/size", "does not match"]),
        (json!({ "podSecurityContext": { "runAsUser": 0 } }), ["runAsUser", "got 0, want 1"]),
        (
            json!({ "podSecurityContext": { "runAsNonRoot": false } }),
            ["podSecurityContext", "'runAsNonRoot' not allowed"],
        ),
    ] {
        refused(&chart, &changes, &parts);
    }
}

/// Values are stored in the cluster, in repositories and in the shell's history.
#[test]
fn secrets_in_values_are_refused() {
    let Some(chart) = Chart::open() else { return };
    let key = "base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let env = |name: &str| json!([{ "name": name, "value": key }]);
    for (changes, part) in [
        (json!({ "vault": { "rootKey": { "value": key } } }), "'value' not allowed"),
        (json!({ "vault": { "rootKey": key } }), "got string, want object"),
        (json!({ "vault": { "rootKey": { "existingSecret": key } } }), "does not match pattern"),
        (json!({ "vault": { "previousRootKeys": [key] } }), "got string, want object"),
        (json!({ "vault": { "config": { "root_key": key } } }), "'root_key' not allowed"),
        (json!({ "vault": { "extraEnv": env("STRONGROOM_ROOT_KEY") } }), "/vault/extraEnv/0/name"),
        (json!({ "vault": { "extraEnv": env("STRONGROOM_VAULT__DATABASE_URL") } }), "/vault/extraEnv/0/name"),
        (json!({ "backup": { "extraEnv": env("STRONGROOM_TOKEN") } }), "/backup/extraEnv/0/name"),
        (json!({ "tokens": { "admin": key } }), "'admin' not allowed"),
        (
            json!({ "vault": { "database": { "postgres": { "url": "postgres://a:b@c/d" } } } }),
            "'url' not allowed",
        ),
        (
            json!({ "sources": [{ "name": "a", "kind": "postgres", "url": "postgres://a:b@c/d" }] }),
            "'/sources/0/url': 'not' failed",
        ),
        (
            json!({ "backup": { "destinations": [{ "name": "a", "url": "s3://key:secret@b" }] } }),
            "'/backup/destinations/0/url': 'not' failed",
        ),
        (
            json!({ "backup": { "destinations": [{ "name": "a", "url": "s3://b", "credentials": { "secret": key } }] } }),
            "'secret' not allowed",
        ),
        (json!({ "backup": { "extraEnv": env("AWS_SECRET_ACCESS_KEY") } }), "/backup/extraEnv/0/name"),
    ] {
        refused(&chart, &changes, &[part]);
    }
    let without_password = json!([{ "name": "a", "kind": "postgres", "url": "postgres://a@c:5432/d?x=a:b" }]);
    let _ = chart.render(&values(json!({ "sources": without_password })));
}

#[test]
fn keys_that_the_chart_sets_are_refused() {
    let Some(chart) = Chart::open() else { return };
    let vault = [
        "listen",
        "database_url",
        "database_url_file",
        "root_key_file",
        "previous_root_key_files",
        "admin_token_file",
        "backup_token_file",
        "tls",
        "plaintext",
    ];
    let backup = [
        "listen",
        "database_url",
        "database_url_file",
        "vault",
        "token_file",
        "staging_dir",
        "tls",
        "plaintext",
    ];
    for (service, keys) in [("vault", vault.as_slice()), ("backup", backup.as_slice())] {
        let config: serde_json::Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), json!("x"))).collect();
        let said = chart.refusal(&values(json!({ service: { "config": config } })));
        let line = said.lines().find(|line| line.contains(&format!("'/{service}/config'"))).unwrap();
        for key in keys {
            assert!(line.contains(&format!("'{key}'")), "{service}: {key}: {line}");
        }
    }
}

#[test]
fn contradictions_are_refused_with_a_remedy() {
    let Some(chart) = Chart::open() else { return };
    let identity = json!([{ "san": "dns:a", "role": "gateway" }]);
    let destination = |mut of: Value| {
        of["name"] = json!("d");
        json!({ "backup": { "destinations": [of] } })
    };
    for (changes, part) in [
        (json!({ "vault": { "replicas": 2 } }), "vault.database.kind=postgres, or vault.replicas=1"),
        (json!({ "vault": { "autoscaling": { "enabled": true } } }), "set vault.database.kind=postgres"),
        (json!({ "backup": { "replicas": 2 } }), "backup.database.kind=postgres, or backup.replicas=1"),
        (json!({ "backup": { "autoscaling": { "enabled": true } } }), "set backup.database.kind=postgres"),
        (destination(json!({})), "d needs either a url or, for a folder on a volume, an existingClaim"),
        (destination(json!({ "url": "s3://b", "existingClaim": "c" })), "d needs either a url or"),
        (
            destination(json!({ "existingClaim": "c", "ca": { "existingSecret": "s" } })),
            "d is a folder, which has neither credentials nor ca",
        ),
        (
            destination(json!({ "url": "s3://b", "ca": { "key": "ca.crt" } })),
            "a ca needs either an existingSecret or an existingConfigMap",
        ),
        (
            json!({ "backup": { "destinations": [{ "name": "d", "url": "s3://b" }, { "name": "d", "url": "s3://c" }] } }),
            "two of backup.destinations are called d",
        ),
        (json!({ "tls": { "mode": "existingSecret" } }), "set tls.existingSecrets.vault"),
        (
            json!({ "tls": { "mode": "existingSecret", "existingSecrets": { "vault": "v" } } }),
            "set tls.existingSecrets.backup",
        ),
        (json!({ "tls": { "mode": "certManager" } }), "set tls.certManager.issuerRef.name"),
        (json!({ "vault": { "config": { "identities": identity } } }), "tls.clientCA"),
        (
            json!({ "backup": { "autoscaling": { "enabled": true, "maxReplicas": 1 } } }),
            "backup.autoscaling.minReplicas is more than its maxReplicas",
        ),
    ] {
        refused(&chart, &changes, &[part]);
    }
}
