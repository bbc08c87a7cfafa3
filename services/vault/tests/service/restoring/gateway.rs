//! A gateway keeps revealing while the vault restores thousands of credentials: it gets old or new secrets, without
//! long waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strongroom_api::source::v1::RestoreMode;
use strongroom_api::vault::v1::RotateCredentialRequest;
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::{binding, credential, secret_of};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::{Code, Status};

use super::{Archive, Restore, verified};
use crate::support::{Clients, TestVault};

/// Concurrent callers, and the interval at which each of them calls: a thousand calls a second.
const CALLERS: usize = 20;
const PERIOD: Duration = Duration::from_millis(20);
/// Concurrent calls that prepare a vault.
const AT_ONCE: usize = 16;
/// Maximum time that a client waits while five thousand rows change, in a build without optimisation.
const PATIENCE: Duration = Duration::from_secs(5);

const ROTATED: &str = "sk-rotated-since-the-backup";

/// Number of changed rows: in the long form, the maximum number of ids that can be revived.
fn rows() -> usize {
    if std::env::var_os("STRONGROOM_LONG").is_some() { 10_000 } else { 2_000 }
}

/// The callers' results.
#[derive(Default)]
struct Seen {
    secrets: usize,
    /// Answers after which a client retries.
    retries: usize,
    longest: Duration,
}

/// Reveals and resolves until it is dropped.
struct Gateway {
    seen: Arc<Mutex<Seen>>,
    is_over: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Gateway {
    async fn start(vault: &TestVault, ids: &[String]) -> Self {
        let token = vault.admin_token().await;
        let (seen, is_over, mut callers) =
            (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default(), JoinSet::new());
        for number in 0..CALLERS {
            let (clients, ids) = (vault.clients(&token), ids.to_vec());
            callers.spawn(call(clients, ids, number, (Arc::clone(&seen), Arc::clone(&is_over))));
        }
        Self { seen, is_over, callers }
    }

    /// Its results since the last look.
    #[expect(clippy::print_stdout, reason = "a figure for whoever runs it by hand")]
    fn look(&self, phase: &str, began: Instant) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let Seen { secrets, retries, longest } = seen;
        println!(
            "{phase}: {:?}; {secrets} secrets, {retries} to be tried again, the longest wait {longest:?}",
            began.elapsed()
        );
        assert!(secrets > 0, "{phase}: nobody got anything");
        let patience = PATIENCE.mul_f64((rows() as f64 / 5_000.0).max(1.0));
        assert!(longest < patience, "{phase}: somebody waited for {longest:?}");
    }

    async fn stop(mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
    }
}

async fn call(
    mut clients: Clients,
    ids: Vec<String>,
    number: usize,
    (seen, is_over): (Arc<Mutex<Seen>>, Arc<AtomicBool>),
) {
    let mut clock = tokio::time::interval(PERIOD);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut at = number * ids.len() / CALLERS;
    while !is_over.load(Ordering::SeqCst) {
        clock.tick().await;
        at = (at + 1) % ids.len();
        let began = Instant::now();
        let answer = match at % 2 {
            0 => clients.reveal(&ids[at]).await,
            _ => clients.resolve(&format!("of-{}", at % 100)).await.map(|(secret, _)| secret),
        };
        let mut seen = seen.lock().unwrap();
        seen.longest = seen.longest.max(began.elapsed());
        match answer {
            Ok(secret) => {
                assert!(secret == ROTATED || secret.starts_with(&secret_of("")), "{secret}");
                seen.secrets += 1;
            }
            Err(status) if is_to_be_retried(&status) => seen.retries += 1,
            Err(status) => panic!("a client would not try again: {status:?}"),
        }
    }
}

fn is_to_be_retried(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::Aborted)
}

/// Calls `one` for each of `items`, several at a time.
async fn each<T, F>(vault: &TestVault, items: Vec<T>, one: impl Fn(Clients, T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let token = vault.admin_token().await;
    let (clients, mut running) = (vault.clients(&token), JoinSet::new());
    for item in items {
        if running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(one(clients.clone(), item));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// Credentials that were all rotated after the archive was made; some of them have references.
async fn scene(vault: &TestVault) -> (Archive, Vec<String>) {
    let mut admin = vault.admin().await;
    let ids: Arc<Mutex<Vec<String>>> = Arc::default();
    let names: Vec<String> = (0..rows()).map(|number| number.to_string()).collect();
    each(vault, names, |mut clients, name| {
        let ids = Arc::clone(&ids);
        async move {
            let id = clients.create(credential(&name)).await.id;
            ids.lock().unwrap().push(id);
        }
    })
    .await;
    let ids = std::mem::take(&mut *ids.lock().unwrap());
    for (number, id) in ids.iter().take(100).enumerate() {
        admin.bind(binding("endpoint", &format!("of-{number}"), id)).await.unwrap();
    }
    let archive = Archive::of(vault).await;
    each(vault, ids.clone(), |mut clients, id| async move {
        let rotate = RotateCredentialRequest { id, secret: ROTATED.into(), ..Default::default() };
        clients.credentials.rotate_credential(rotate).await.unwrap();
    })
    .await;
    (archive, ids)
}

async fn goes_on(vault: TestVault) {
    let (archive, ids) = scene(&vault).await;
    let revived: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&revived);
    let gateway = Gateway::start(&vault, &ids).await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.look("before", began);
    let began = Instant::now();
    let _ = restore.plan().await.unwrap();
    gateway.look("plan", began);
    let began = Instant::now();
    let _ = restore.stage().await.unwrap();
    gateway.look("stage", began);
    let began = Instant::now();
    let _ = restore.commit().await.unwrap();
    gateway.look("commit", began);
    assert!(restore.admin.reveal(&ids[0]).await.unwrap().starts_with(&secret_of("")));
    let began = Instant::now();
    let _ = restore.roll_back(false).await.unwrap();
    gateway.look("rollback", began);
    gateway.stop().await;
    assert_eq!(restore.admin.reveal(&ids[0]).await.unwrap(), ROTATED);
    verified(&mut restore.admin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_goes_on_during_a_restore_on_sqlite() {
    goes_on(TestVault::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_goes_on_during_a_restore_on_postgres() {
    let Some(database) = TestDb::postgres() else { return };
    goes_on(TestVault::with_clock(database, Arc::new(strongroom_runtime::SystemClock)).await).await;
}
