//! Overload: far more callers than a vault can serve.
//!
//! The promise (docs/operating.md): served callers are served as fast as at saturation, the others are refused with a
//! delay, memory stays flat, and a flood of one token's calls takes nothing from another token that has few calls in
//! progress.
#![expect(clippy::print_stderr, reason = "the figures are the point")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::http::get;
use e2e::{Deployment, Operator, long};
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::{CreateCredentialRequest, RevealCredentialRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::TestDb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const METHOD: &str = "strongroom.vault.v1.CredentialService/RevealCredential";
/// Number of callers that share a connection.
const ON_A_CONNECTION: usize = 64;

/// A vault with a credential.
struct Vault<'a> {
    deployment: &'a Deployment,
    id: String,
}

/// Numbers of served and refused calls.
#[derive(Default)]
struct Seen {
    served: AtomicUsize,
    refused: AtomicUsize,
}

impl Vault<'_> {
    /// `callers` of `operator` reveal for `time`, pausing only for the delays that refusals name.
    async fn load(&self, operator: &Operator, callers: usize, time: Duration, patient: bool) -> Arc<Seen> {
        let (seen, over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let connections: Vec<_> = (0..callers.div_ceil(ON_A_CONNECTION)).map(|_| client(operator)).collect();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let client = connections[caller % connections.len()].clone();
                tokio::spawn(call_on(client, self.id.clone(), Arc::clone(&seen), Arc::clone(&over), patient))
            })
            .collect();
        tokio::time::sleep(time).await;
        over.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
        seen
    }

    /// The p99 that the vault itself has measured since `before`, in seconds.
    fn p99_since(&self, before: &[(f64, f64)]) -> f64 {
        let now = self.buckets();
        let counts: Vec<(f64, f64)> =
            now.iter().zip(before).map(|(now, before)| (now.0, now.1 - before.1)).collect();
        percentile(&counts, 0.99)
    }

    /// Upper bounds and cumulative counts of the vault's histogram for reveals.
    fn buckets(&self) -> Vec<(f64, f64)> {
        let text = get(&self.deployment.admin_addresses()[0], "/metrics").unwrap().body;
        let prefix = format!("strongroom_rpc_duration_seconds_bucket{{method=\"{METHOD}\",le=\"");
        let parse = |line: &str| {
            let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            Some((bound.replace("+Inf", "inf").parse().unwrap(), count.parse().unwrap()))
        };
        text.lines().filter_map(parse).collect()
    }
}

/// Linear within a bucket, like Prometheus.
fn percentile(cumulative: &[(f64, f64)], share: f64) -> f64 {
    let rank = cumulative.last().unwrap().1 * share;
    let (mut below, mut bound_below) = (0.0, 0.0);
    for (bound, count) in cumulative {
        if *count >= rank && *count > below {
            return bound_below + (bound - bound_below) * (rank - below) / (count - below);
        }
        (below, bound_below) = (*count, *bound);
    }
    bound_below
}

fn client(operator: &Operator) -> CredentialServiceClient<AuthorizedChannel> {
    let target = Target { url: operator.vault_url.clone(), ..Target::default() };
    CredentialServiceClient::new(target.authorized(Bearer::new(&operator.token).unwrap()).unwrap())
}

async fn call_on(
    mut client: CredentialServiceClient<AuthorizedChannel>,
    id: String,
    seen: Arc<Seen>,
    over: Arc<AtomicBool>,
    patient: bool,
) {
    while !over.load(Ordering::Relaxed) {
        let request = RevealCredentialRequest { id: id.clone(), ..Default::default() };
        match client.reveal_credential(request).await {
            Ok(_) => {
                seen.served.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => {
                seen.refused.fetch_add(1, Ordering::Relaxed);
                let delay = delay_of(&status);
                if patient {
                    wait(delay, &over).await;
                }
            }
        }
    }
}

/// Waits for `delay`, or until the load is over.
async fn wait(delay: Duration, over: &AtomicBool) {
    let end = Instant::now() + delay;
    while Instant::now() < end && !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The delay of a refusal; every refusal must name one.
fn delay_of(status: &Status) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

/// The smallest number of callers that reaches 95 % of the highest rate, and the p99 there.
async fn saturation(vault: &Vault<'_>, operator: &Operator, time: Duration) -> (usize, f64) {
    let mut tried = Vec::new();
    for callers in [32, 64, 128, 256] {
        let (before, began) = (vault.buckets(), Instant::now());
        let seen = vault.load(operator, callers, time, true).await;
        let rate = seen.served.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
        tried.push((callers, rate, vault.p99_since(&before)));
    }
    let highest = tried.iter().map(|(_, rate, _)| *rate).fold(0.0, f64::max);
    let (callers, _, p99) = tried.into_iter().find(|(_, rate, _)| *rate >= 0.95 * highest).unwrap();
    (callers, p99)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_served_is_served_fast_and_the_others_are_told_when_to_come_back() {
    let time = Duration::from_secs(if long() { 30 } else { 4 });
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let admin = &deployment.admin;
    let id = admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let vault = Vault { deployment: &deployment, id };
    // One call, so that the histogram exists and nothing is cold.
    vault.load(admin, 1, Duration::from_millis(200), true).await;

    let (callers, p99) = saturation(&vault, admin, time.min(Duration::from_secs(3))).await;
    let (memory, before) = (deployment.vault.peak_memory(), vault.buckets());
    let seen = vault.load(admin, 10 * callers, time, true).await;
    let (served, refused) = (seen.served.load(Ordering::Relaxed), seen.refused.load(Ordering::Relaxed));
    let overloaded = vault.p99_since(&before);
    eprintln!(
        "saturated by {callers}, p99 {p99:.4} s; by ten times as many {overloaded:.4} s, {served} served, {refused} refused"
    );
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    // In a normal run, other tests use the processors at the same time.
    let promised = if long() { 3.0 } else { 20.0 };
    assert!(overloaded <= promised * p99, "p99 {overloaded} s, at saturation {p99} s");
    let grown = deployment.vault.peak_memory().saturating_sub(memory);
    assert!(grown < 64 << 20, "{} MiB more at the peak", grown >> 20);

    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = vault.buckets();
    let seen = vault.load(admin, 4, Duration::from_secs(2), true).await;
    let (served, refused) = (seen.served.load(Ordering::Relaxed), seen.refused.load(Ordering::Relaxed));
    assert!(served > 8 && refused == 0, "{served} served, {refused} refused");
    let normal = vault.p99_since(&before);
    assert!(normal <= promised * p99, "p99 {normal} s a second later, at saturation {p99} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_takes_nothing_from_another_token() {
    let time = Duration::from_secs(if long() { 30 } else { 4 });
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let admin = &deployment.admin;
    let id = admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let (flood, gentle) = (admin.issue("gateway"), admin.issue("gateway"));
    let vault = Vault { deployment: &deployment, id };
    let (flooded, served) = tokio::join!(
        // The flood ignores the delays of its refusals.
        vault.load(&flood, 1000, time, false),
        vault.load(&gentle, 8, time, true),
    );
    let refused = flooded.refused.load(Ordering::Relaxed);
    assert!(refused > 0, "no flood");
    assert_eq!(served.refused.load(Ordering::Relaxed), 0, "the gentle token is refused");
    let calls = served.served.load(Ordering::Relaxed);
    // Each of eight callers is answered within a second on average.
    assert!(calls as u64 >= 8 * time.as_secs(), "{calls} calls of the gentle token in {time:?}");
    eprintln!(
        "beside {refused} refused calls of a flood, {calls} of another token were served, none refused"
    );
}

/// Refused calls cost work too, because each is recorded. They occupy slots like other calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forbidden_calls_takes_nothing_from_another_token() {
    beside_a_flood("auditor", Code::PermissionDenied, |mut client, id| async move {
        let request = RevealCredentialRequest { id, ..Default::default() };
        client.reveal_credential(request).await.map(drop)
    })
    .await;
}

/// Each change is a separate transaction, and reveals must not wait for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_changes_takes_nothing_from_another_token() {
    beside_a_flood("operator", Code::Ok, |mut client, _| async move {
        let (display_name, provider) = ("Flood".to_owned(), "openai".to_owned());
        let secret = b"sk-live-0123456789abcdef".as_slice().into();
        let request = CreateCredentialRequest { display_name, provider, secret, ..Default::default() };
        client.create_credential(request).await.map(drop)
    })
    .await;
}

/// 1,000 callers of a token with `role` make `call` without a pause and get either `code` or a refusal with a delay,
/// which they ignore. Meanwhile another token reveals.
async fn beside_a_flood<F>(
    role: &str,
    code: Code,
    call: fn(CredentialServiceClient<AuthorizedChannel>, String) -> F,
) where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let time = Duration::from_secs(3);
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let admin = &deployment.admin;
    let id = admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let (flood, gentle) = (admin.issue(role), admin.issue("gateway"));
    let connections: Vec<_> = (0..16).map(|_| client(&flood)).collect();
    let over = Arc::new(AtomicBool::new(false));
    let flooding: Vec<_> = (0..1000)
        .map(|caller| {
            let client = connections[caller % connections.len()].clone();
            let (id, over) = (id.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut busy = 0;
                while !over.load(Ordering::Relaxed) {
                    let got =
                        call(client.clone(), id.clone()).await.err().map_or(Code::Ok, |status| status.code());
                    assert!(got == code || got == Code::ResourceExhausted, "{got:?}");
                    busy += usize::from(got == Code::ResourceExhausted);
                }
                busy
            })
        })
        .collect();
    let vault = Vault { deployment: &deployment, id };
    let served = vault.load(&gentle, 8, time, true).await;
    over.store(true, Ordering::Relaxed);
    let mut busy = 0;
    for task in flooding {
        busy += task.await.unwrap();
    }
    assert!(busy > 0, "nobody is told that there are too many");
    assert_eq!(served.refused.load(Ordering::Relaxed), 0, "the gentle token is refused");
    let calls = served.served.load(Ordering::Relaxed);
    eprintln!("beside a flood by {role}, {calls} calls of another token were served");
    assert!(calls as u64 >= 8 * time.as_secs(), "{calls} calls of the gentle token in {time:?}");
}
