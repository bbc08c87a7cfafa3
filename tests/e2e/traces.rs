//! Traces that a collector receives from the built programs over OTLP.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::{Deployment, PATIENCE, eventually, finish, random_table, sample_gateway, source, start_unread};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use strongroom_testkit::TestDb;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// A span as the collector received it.
#[derive(Debug, Clone)]
struct Seen {
    service: String,
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    kind: SpanKind,
    failed: bool,
    attributes: HashMap<String, String>,
}

/// This test's collector.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Seen>>>,
    /// All received data, as text.
    raw: Arc<Mutex<String>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.raw.lock().unwrap().push_str(&format!("{:?}", request.get_ref()));
        for resource in request.into_inner().resource_spans {
            let about = attributes(&resource.resource.unwrap_or_default().attributes);
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans.map(|span| Seen {
                service: about["service.name"].clone(),
                kind: span.kind(),
                failed: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
                attributes: attributes(&span.attributes),
                name: span.name,
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
            }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attributes(pairs: &[KeyValue]) -> HashMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}

impl Collector {
    /// Serves in a separate thread, and returns the collector and its URL.
    fn start() -> (Self, String) {
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let (sender, address) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
                tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(incoming)
                    .await
                    .unwrap();
            });
        });
        let url = format!("http://{}", address.recv().unwrap());
        (collector, url)
    }

    /// Waits for a span for which `found` is true.
    fn wait_for(&self, what: &str, found: impl Fn(&Seen) -> bool) -> Seen {
        eventually(what, PATIENCE, || self.spans.lock().unwrap().iter().find(|span| found(span)).cloned())
    }

    fn of_trace(&self, trace: &[u8]) -> Vec<Seen> {
        self.spans.lock().unwrap().iter().filter(|span| span.trace == trace).cloned().collect()
    }
}

/// Both services, which send every span to a collector.
fn traced(sources: &str) -> (Deployment, Collector, String, TestDb) {
    let (collector, url) = Collector::start();
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), sources);
    deployment.trace_to(&url, 1.0);
    (deployment, collector, url, database)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn one_export_is_one_trace_and_the_audit_log_names_it() {
    let gateway = TestDb::sqlite();
    sample_gateway(&gateway);
    let (deployment, collector, url, _database) = traced(&source("gateway", &gateway, &[]));
    let archive = deployment.path("a.age");
    let mut export =
        deployment.admin.command(&["backup", "export", "--plain", "--out", archive.to_str().unwrap()]);
    let exported = finish(export.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url), b"", PATIENCE);
    assert_eq!(exported.code, Some(0), "{}", exported.said());

    let root = collector.wait_for("the command's span", |span| span.name == "strongroom backup export");
    assert!(root.parent.is_empty() && root.service == "strongroom", "{root:?}");
    let wanted = [
        ("strongroom", "strongroom.backup.v1.BackupService/ExportBackup", SpanKind::Client),
        ("strongroom-backup", "strongroom.backup.v1.BackupService/ExportBackup", SpanKind::Server),
        ("strongroom-backup", "open sources", SpanKind::Internal),
        ("strongroom-backup", "read source", SpanKind::Internal),
        ("strongroom-backup", "write archive", SpanKind::Internal),
        ("strongroom-backup", "strongroom.vault.v1.CryptoService/SignManifest", SpanKind::Client),
        ("strongroom-vault", "strongroom.vault.v1.CryptoService/SignManifest", SpanKind::Server),
        ("strongroom-vault", "strongroom.vault.v1.KeyService/PinKeyVersions", SpanKind::Server),
        ("strongroom-vault", "strongroom.vault.v1.AuditService/RecordAuditEvent", SpanKind::Server),
    ];
    for (service, name, kind) in wanted {
        let what = format!("{name} of {service} in the trace of the command");
        collector.wait_for(&what, |span| {
            (span.trace == root.trace) && (&*span.service, &*span.name, span.kind) == (service, name, kind)
        });
    }
    collector.wait_for("a statement of the vault", |span| {
        span.trace == root.trace
            && span.service == "strongroom-vault"
            && span.name.starts_with("INSERT INTO audit")
    });
    let spans = collector.of_trace(&root.trace);
    let ids: HashSet<&[u8]> = spans.iter().map(|span| &*span.id).collect();
    for span in &spans {
        assert!(span.id == root.id || ids.contains(&*span.parent), "{span:?} has a parent elsewhere");
        assert!(!span.failed, "{span:?}");
    }
    let events = deployment.admin.json(&["audit", "list", "--event", "backup.exported"]);
    assert_eq!(events[0]["traceId"], hex(&root.trace), "{events}");
}

#[test]
fn no_secret_is_in_a_span() {
    const SECRET: &str = "sk-live-0123456789abcdef";
    let (deployment, collector, url, _database) = traced("");
    let admin = &deployment.admin;
    let traced = |arguments: &[&str], stdin: &[u8]| {
        let mut command = admin.command(arguments);
        finish(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url), stdin, PATIENCE)
    };
    let create = ["credential", "create", "One", "--provider", "openai", "--secret-file", "-"];
    let _ = traced(&create, SECRET.as_bytes()).succeeded();
    let _ = traced(&create, SECRET.as_bytes()).failed_with(1);
    let _ = traced(&["credential", "reveal", "One"], b"").succeeded();
    let _ =
        traced(&["credential", "rotate", "One", "--secret-file", "-"], b"sk-live-another-one").succeeded();
    let _ = traced(&["token", "issue", "more", "--role", "gateway"], b"").succeeded();
    let _ = traced(&["credential", "list"], b"").succeeded();
    collector.wait_for("the last command's span", |span| span.name == "strongroom credential list");
    collector.wait_for("a reveal", |span| {
        span.name.ends_with("/RevealCredential") && span.kind == SpanKind::Server
    });
    let raw = collector.raw.lock().unwrap();
    for secret in [SECRET, "sk-live-another-one", &admin.token, "srt_", "srv1.", "Bearer"] {
        assert!(!raw.contains(secret), "a span has {secret}");
    }
}

#[test]
fn a_collector_that_never_answers_costs_its_spans_only() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), "");
    deployment.trace_to(&url, 1.0);
    assert_eq!(deployment.admin.run(&["credential", "list"]).code, Some(0));
    eventually("a line about lost spans", PATIENCE, || {
        deployment.vault.log().contains("spans are lost").then_some(())
    });
    assert_eq!(deployment.vault.terminate().code(), Some(0), "{}", deployment.vault.log());
}

#[test]
fn a_collector_of_the_environment_that_cannot_be_used_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = e2e::program("strongroom");
    command.args(["key", "new-root", "--out"]).arg(folder.path().join("root.key"));
    let made =
        finish(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector:4317"), b"", PATIENCE);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", made.stderr);
}

#[test]
fn a_vault_that_is_away_is_an_error_in_the_trace() {
    let (mut deployment, collector, _, _database) = traced("");
    // So that the backup service knows the caller when the vault goes away.
    assert_eq!(deployment.admin.run(&["source", "list"]).code, Some(0));
    deployment.vault.kill();
    let archive = deployment.path("a.age");
    let exported = deployment.admin.run(&["backup", "export", "--plain", "--out", archive.to_str().unwrap()]);
    assert_ne!(exported.code, Some(0));
    let failed = collector.wait_for("a failed call to the vault", |span| {
        span.service == "strongroom-backup" && span.kind == SpanKind::Client && span.failed
    });
    assert_eq!(failed.attributes["rpc.response.status_code"], "UNAVAILABLE", "{failed:?}");
    let called = collector.wait_for("the call that failed for it", |span| {
        span.trace == failed.trace && span.kind == SpanKind::Server
    });
    assert!(called.failed, "{called:?}");
}

#[test]
fn a_client_that_leaves_ends_its_span() {
    let big = TestDb::sqlite();
    random_table(&big);
    let (deployment, collector, _, _database) = traced(&source("big", &big, &[]));
    let reader = start_unread(&mut deployment.admin.command(&["backup", "export", "--plain", "--out", "-"]));
    std::thread::sleep(Duration::from_secs(2));
    reader.kill();
    let ended = collector.wait_for("the end of the export's span", |span| {
        span.kind == SpanKind::Server && span.name.ends_with("/ExportBackup")
    });
    assert_eq!(ended.attributes["rpc.response.status_code"], "CANCELLED", "{ended:?}");
    assert!(!ended.failed, "a client that leaves is no fault of the service: {ended:?}");
}
