//! The cost of traces: the same services with and without traces for a share of their calls, in pairs.
//!
//! Other activity of a machine disturbs wall-clock time; it hardly affects the services' processor time.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use e2e::{Deployment, source};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use strongroom_api::vault::v1::RevealCredentialRequest;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::TestDb;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::export::fill_postgres;
use crate::processors;

const CALLERS: usize = 64;
const CELL: Duration = Duration::from_secs(2);

/// Options of the measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Number of pairs of each kind.
    #[arg(long, default_value_t = 20)]
    pairs: usize,
    /// Rows of the exported table.
    #[arg(long, default_value_t = 300_000)]
    rows: u64,
    /// Share of calls that are traced.
    #[arg(long, default_value_t = 0.1)]
    sampling: f64,
}

/// Seconds of wall-clock time and of the services' processor time, for a unit of work.
struct Cost {
    clock: f64,
    processors: f64,
}

/// Prints the ratios.
pub(crate) async fn run(plan: Plan) {
    let (url, spans) = collector();
    let database = TestDb::postgres();
    let sources = match &database {
        Some(database) => {
            fill_postgres(database, plan.rows).await;
            source("gateway", database, &[])
        }
        None => String::new(),
    };
    let (plain_vault, traced_vault) = (TestDb::sqlite(), TestDb::sqlite());
    let plain = Deployment::start(plain_vault.url_text(), &sources);
    let mut traced = Deployment::start(traced_vault.url_text(), &sources);
    traced.trace_to(&url, plan.sampling);
    let ids =
        [&plain, &traced].map(|one| one.admin.create_credential("One", "openai", b"sk-live-0123456789"));
    let percent = plan.sampling * 100.0;
    println!("{} pairs, {percent} % of the calls traced / none traced: quartiles of the ratios", plan.pairs);
    let mut pairs = Vec::new();
    for _ in 0..plan.pairs {
        pairs.push((reveals(&traced, &ids[1]).await, reveals(&plain, &ids[0]).await));
    }
    report("Reveal, 64 callers, SQLite", &pairs);
    if database.is_some() {
        let pairs: Vec<_> = (0..plan.pairs).map(|_| (export(&traced), export(&plain))).collect();
        report(&format!("plain export of {} rows, PostgreSQL", plan.rows), &pairs);
    }
    println!("spans received: {}", spans.load(Ordering::Relaxed));
}

fn report(name: &str, pairs: &[(Cost, Cost)]) {
    let quartiles = |of: fn(&Cost) -> f64| {
        let mut ratios: Vec<f64> = pairs.iter().map(|(traced, plain)| of(traced) / of(plain)).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |share: usize| ratios[(ratios.len() - 1) * share / 4];
        format!("{:.3}, {:.3}, {:.3}", at(1), at(2), at(3))
    };
    println!(
        "{name}: clock {}; processors {}",
        quartiles(|cost| cost.clock),
        quartiles(|cost| cost.processors)
    );
}

/// Cost of one call.
async fn reveals(deployment: &Deployment, id: &str) -> Cost {
    let clients: Vec<_> = (0..CALLERS / 16).map(|_| client(deployment)).collect();
    let (began, busy) = (Instant::now(), busy(deployment));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (mut client, id) = (clients[caller % clients.len()].clone(), id.to_owned());
            tokio::spawn(async move {
                let mut calls = 0_u32;
                while began.elapsed() < CELL {
                    let request = RevealCredentialRequest { id: id.clone(), ..Default::default() };
                    client.reveal_credential(request).await.unwrap();
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0.0;
    for caller in callers {
        calls += f64::from(caller.await.unwrap());
    }
    Cost { clock: began.elapsed().as_secs_f64() / calls, processors: (self::busy(deployment) - busy) / calls }
}

fn client(deployment: &Deployment) -> CredentialServiceClient<AuthorizedChannel> {
    let target = Target { url: deployment.admin.vault_url.clone(), ..Target::default() };
    CredentialServiceClient::new(target.authorized(Bearer::new(&deployment.admin.token).unwrap()).unwrap())
}

/// Cost of one export.
fn export(deployment: &Deployment) -> Cost {
    let (began, busy) = (Instant::now(), busy(deployment));
    let mut command = deployment.admin.command(&["backup", "export", "--plain", "--out", "-"]);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    Cost { clock: began.elapsed().as_secs_f64(), processors: self::busy(deployment) - busy }
}

/// Processor seconds that both services have used.
fn busy(deployment: &Deployment) -> f64 {
    [deployment.vault.pid(), deployment.backup.pid()]
        .map(processors::of)
        .iter()
        .sum::<Duration>()
        .as_secs_f64()
}

/// Accepts spans and counts them.
struct Sink(Arc<AtomicUsize>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        self.0.fetch_add(scopes.map(|scope| scope.spans.len()).sum(), Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Starts a collector; returns its address and its span counter.
fn collector() -> (String, Arc<AtomicUsize>) {
    let spans = Arc::new(AtomicUsize::new(0));
    let service = TraceServiceServer::new(Sink(Arc::clone(&spans)));
    let (sender, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
    });
    (format!("http://{}", address.recv().unwrap()), spans)
}
