//! Stock grpcurl against both services, as in the README.

use std::process::Command;
use std::time::Duration;

use e2e::{Dev, Finished, Operator, finish, tool};
use serde_json::Value;

/// `grpcurl -plaintext [-H "authorization: Bearer …"] ARGUMENTS`; `None` if grpcurl is not installed.
fn grpcurl(operator: Option<&Operator>, arguments: &[&str]) -> Option<Finished> {
    let mut command: Command = tool::tool("grpcurl")?;
    command.args(["-plaintext", "-max-time", "20"]);
    if let Some(operator) = operator {
        command.args(["-H", &format!("authorization: Bearer {}", operator.token)]);
    }
    Some(finish(command.args(arguments), b"", Duration::from_secs(30)))
}

fn addresses(dev: &Dev) -> (String, String) {
    let (vault, backup) = dev.ports();
    (format!("127.0.0.1:{vault}"), format!("127.0.0.1:{backup}"))
}

#[test]
fn it_lists_and_describes_both_services() {
    let dev = Dev::start("");
    let (vault, backup) = addresses(&dev);
    let admin = Some(&dev.admin);
    for (address, services) in [
        (&vault, &["vault.v1.CredentialService", "vault.v1.AuditService", "source.v1.SourceService"][..]),
        (&backup, &["backup.v1.BackupService"]),
    ] {
        let Some(listed) = grpcurl(admin, &[address, "list"]) else { return };
        let listed = listed.succeeded().text();
        assert!(listed.contains("grpc.health.v1.Health"), "{listed}");
        for service in services {
            let name = format!("strongroom.{service}");
            assert!(listed.contains(&name), "{listed}");
            let described = grpcurl(admin, &[address, "describe", &name]).unwrap().succeeded().text();
            assert!(
                described.contains(&format!("service {}", name.rsplit('.').next().unwrap())),
                "{described}"
            );
        }
    }
    let message = grpcurl(admin, &[&vault, "describe", "strongroom.vault.v1.Credential"]).unwrap();
    assert!(message.succeeded().text().contains("display_name"));
}

/// The part of the reflection protocol that lists services. With it, every version of grpcurl calls this protocol version.
const REFLECTION: &str = "syntax = \"proto3\"; package grpc.reflection.VERSION; \
     message ServerReflectionRequest { oneof message_request { string list_services = 7; } } \
     message ServiceResponse { string name = 1; } \
     message ListServiceResponse { repeated ServiceResponse service = 1; } \
     message ServerReflectionResponse { \
       oneof message_response { ListServiceResponse list_services_response = 6; } } \
     service ServerReflection { \
       rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse); }";

#[test]
fn both_versions_of_reflection_answer() {
    let dev = Dev::start("");
    let (vault, backup) = addresses(&dev);
    let folder = dev.path("");
    for version in ["v1", "v1alpha"] {
        std::fs::write(dev.path("reflection.proto"), REFLECTION.replace("VERSION", version)).unwrap();
        let import = ["-import-path", folder.to_str().unwrap(), "-proto", "reflection.proto"];
        for address in [&vault, &backup] {
            let method = format!("grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            let call = [&import[..], &["-d", "{\"list_services\": \"\"}", address, &method]].concat();
            let Some(answer) = grpcurl(Some(&dev.admin), &call) else { return };
            assert!(answer.succeeded().text().contains("strongroom."), "{version}");
            let refused = grpcurl(None, &call).unwrap();
            assert!(
                refused.code != Some(0) && refused.said().contains("Unauthenticated"),
                "{}",
                refused.said()
            );
        }
    }
}

#[test]
fn it_calls_both_services() {
    let dev = Dev::start("");
    let (vault, backup) = addresses(&dev);
    let admin = Some(&dev.admin);
    let create = r#"{"display_name": "OpenAI", "provider": "openai", "secret": "c2stbGl2ZS0wMTIzNDU2Nzg5"}"#;
    let method = "strongroom.vault.v1.CredentialService/CreateCredential";
    let Some(created) = grpcurl(admin, &["-d", create, &vault, method]) else { return };
    let created = created.succeeded().json();
    assert_eq!(created["credential"]["displayName"], "OpenAI");
    let listed = grpcurl(admin, &[&vault, "strongroom.vault.v1.CredentialService/ListCredentials"]).unwrap();
    assert_eq!(listed.succeeded().json()["credentials"][0]["provider"], "openai");
    let sources = grpcurl(admin, &[&backup, "strongroom.backup.v1.BackupService/ListSources"]).unwrap();
    assert!(sources.succeeded().text().contains("\"credentials\""), "the vault is one of the sources");
    let export = ["-d", r#"{"plain": true}"#, &backup, "strongroom.backup.v1.BackupService/ExportBackup"];
    let messages = grpcurl(admin, &export).unwrap().succeeded().text();
    let (first, last) = messages_of(&messages);
    assert!(first["header"]["fileName"].is_string() && last["trailer"]["sha256"].is_string(), "{messages}");
}

/// The first and the last of grpcurl's JSON documents.
fn messages_of(text: &str) -> (Value, Value) {
    let mut messages = serde_json::Deserializer::from_str(text).into_iter::<Value>().map(Result::unwrap);
    let first = messages.next().unwrap();
    (first, messages.last().unwrap())
}

#[test]
fn who_may_not_is_told_what_is_missing() {
    let dev = Dev::start("");
    let (vault, backup) = addresses(&dev);
    let calls = [
        (&vault, "strongroom.vault.v1.CredentialService/ListCredentials"),
        (&backup, "strongroom.backup.v1.BackupService/ListSources"),
    ];
    // Reflection needs a token too, so only the reflection calls send a valid one.
    let known = format!("authorization: Bearer {}", dev.admin.token);
    for (address, method) in calls {
        for more in [&[][..], &["-rpc-header", "authorization: Bearer srt_nobody"]] {
            let call = [&["-reflect-header", &known], more, &[address, method]].concat();
            let Some(refused) = grpcurl(None, &call) else { return };
            assert!(refused.said().contains("Code: Unauthenticated"), "{}", refused.said());
        }
    }
    let auditor = dev.admin.issue("auditor");
    let create = "strongroom.vault.v1.CredentialService/CreateCredential";
    let Some(refused) = grpcurl(Some(&auditor), &["-d", "{}", &vault, create]) else { return };
    let refused = refused.said();
    assert!(refused.contains("Code: PermissionDenied") && refused.contains("credential.create"), "{refused}");
    let export = ["-d", r#"{"plain": true}"#, &backup, "strongroom.backup.v1.BackupService/ExportBackup"];
    let refused = grpcurl(Some(&auditor), &export).unwrap().said();
    assert!(refused.contains("Code: PermissionDenied") && refused.contains("backup.export"), "{refused}");
    let creator = dev.admin.issue("backup-creator");
    let refused = grpcurl(Some(&creator), &export).unwrap().said();
    assert!(
        refused.contains("Code: PermissionDenied") && refused.contains("backup.export_plain"),
        "{refused}"
    );
}

#[test]
fn health_needs_no_token() {
    let dev = Dev::start("");
    let (vault, backup) = addresses(&dev);
    // Reflection needs a token, so the health service's proto is given.
    let proto = "syntax = \"proto3\"; package grpc.health.v1; message HealthCheckRequest { string service = 1; } \
         message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; } \
         ServingStatus status = 1; } \
         service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }";
    std::fs::write(dev.path("health.proto"), proto).unwrap();
    let folder = dev.path("");
    let import = ["-import-path", folder.to_str().unwrap(), "-proto", "health.proto"];
    for address in [&vault, &backup] {
        let call = [&import[..], &[address, "grpc.health.v1.Health/Check"]].concat();
        let Some(answer) = grpcurl(None, &call) else { return };
        assert_eq!(answer.succeeded().json()["status"], "SERVING");
    }
}

#[test]
fn the_readmes_calls_work_as_written() {
    let dev = Dev::start("");
    let _ = dev.admin.create_credential("OpenAI", "openai", b"sk-live-0123456789abcdef");
    let readme = std::fs::read_to_string(e2e::repository().join("README.md")).unwrap().replace("\\\n", "");
    let calls: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("$ grpcurl ")).collect();
    assert_eq!(calls.len(), 3, "{calls:?}");
    let (vault, backup) = addresses(&dev);
    for call in calls {
        if tool::tool("grpcurl").is_none() {
            return;
        }
        let call = call.replace("localhost:7601", &vault).replace("localhost:7602", &backup);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("grpcurl {call}")]).current_dir(dev.path(""));
        let said = finish(&mut shell, b"", Duration::from_secs(30)).succeeded().text();
        assert!(said.contains("strongroom.") || said.contains("credentials"), "{call}\n{said}");
    }
}
