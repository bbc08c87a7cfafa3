//! The vault dies at random moments: nothing that it acknowledged is lost, and no plaintext left it without an audit
//! event.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{Deployment, Operator, eventually, long};
use serde_json::Value;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::{CreateCredentialRequest, RevealCredentialRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::TestDb;

/// Number of credentials in a scene: enough that a re-encryption takes a while at the requested rate.
const CREDENTIALS: usize = 400;

/// A delay that no two rounds share, from the kernel's randomness and not from a clock.
fn random_delay(at_most: Duration) -> Duration {
    let bytes = std::fs::read("/proc/sys/kernel/random/uuid").unwrap();
    let number = u32::from_str_radix(std::str::from_utf8(&bytes[..8]).unwrap(), 16).unwrap();
    at_most.mul_f64(f64::from(number) / f64::from(u32::MAX))
}

fn client(admin: &Operator) -> CredentialServiceClient<AuthorizedChannel> {
    let target = Target { url: admin.vault_url.clone(), ..Target::default() };
    let bearer = Bearer::new(&admin.token).unwrap();
    CredentialServiceClient::new(target.authorized(bearer).unwrap())
}

/// Creates credentials, each with a secret that contains its number.
async fn create_all(admin: &Operator) -> Vec<String> {
    let mut client = client(admin);
    let mut ids = Vec::new();
    for number in 0..CREDENTIALS {
        let request = CreateCredentialRequest {
            display_name: format!("credential {number}"),
            provider: "openai".into(),
            secret: format!("secret number {number}").into(),
            ..Default::default()
        };
        ids.push(client.create_credential(request).await.unwrap().into_inner().credential.unwrap().id);
    }
    ids
}

async fn assert_all_open(admin: &Operator, ids: &[String]) {
    let mut client = client(admin);
    for (number, id) in ids.iter().enumerate() {
        let request = RevealCredentialRequest { id: id.clone(), previous: false };
        let secret = client.reveal_credential(request).await.unwrap().into_inner().secret;
        assert_eq!(secret, format!("secret number {number}").as_bytes());
    }
}

/// Number of values for each key version, for the vault's own credentials.
fn census(admin: &Operator) -> Vec<(String, i64)> {
    let census = admin.json(&["key", "census", "credential"]);
    let counts = census["counts"].as_array().unwrap().iter();
    let of_secrets = counts.filter(|count| count["column"] == "credentials.secret");
    let number = |count: &Value| count["values"].as_str().unwrap().parse().unwrap();
    of_secrets.map(|count| (count["kid"].as_str().unwrap().to_owned(), number(count))).collect()
}

#[test]
fn a_reencryption_survives_its_vault_at_any_moment() {
    let rounds = if long() { 50 } else { 4 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), "");
    let ids = runtime.block_on(create_all(&deployment.admin));
    for _ in 0..rounds {
        let rotated = deployment.admin.json(&["key", "rotate", "credential"]);
        let mut asking = deployment.admin.command(&["key", "reencrypt", "--rate", "1000"]);
        let mut running = asking.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(random_delay(Duration::from_millis(700)));
        deployment.vault.kill();
        let _ = running.wait().unwrap();
        deployment.restart_vault();
        // The restarted vault resumes a re-encryption that had begun; the command below joins it. If none has ever
        // begun, there is nothing to check.
        if deployment.admin.events("key.reencrypt_started").is_empty() {
            continue;
        }
        let _ = deployment.admin.run(&["key", "reencrypt"]).succeeded();
        let primary = rotated["kid"].as_str().unwrap();
        eventually("every value is sealed by the new version", Duration::from_secs(30), || {
            let counts = census(&deployment.admin);
            let left = counts.iter().filter(|(kid, values)| kid != primary && *values > 0).count();
            let sealed: i64 = counts.iter().map(|(_, values)| values).sum();
            assert_eq!(sealed, i64::try_from(CREDENTIALS).unwrap(), "nothing is lost or doubled");
            (left == 0).then_some(())
        });
    }
    runtime.block_on(assert_all_open(&deployment.admin, &ids));
    let verified = deployment.admin.json(&["audit", "verify"]);
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn no_plaintext_gets_out_without_its_event() {
    let rounds = if long() { 20 } else { 3 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), "");
    let id = deployment.admin.create_credential("One", "openai", b"the one secret");
    // Channels are created outside a task here.
    let _entered = runtime.enter();
    let revealed = Arc::new(AtomicUsize::new(0));
    for _ in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..8)
            .map(|_| {
                runtime.spawn(read_until(
                    client(&deployment.admin),
                    id.clone(),
                    Arc::clone(&stop),
                    Arc::clone(&revealed),
                ))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100) + random_delay(Duration::from_millis(300)));
        deployment.vault.kill();
        stop.store(true, Ordering::SeqCst);
        for reader in readers {
            runtime.block_on(reader).unwrap();
        }
        deployment.restart_vault();
    }
    let events = deployment.admin.events("credential.revealed").len();
    let seen = revealed.load(Ordering::SeqCst);
    assert!(seen > 0, "somebody read something");
    assert!(events >= seen, "{seen} plaintexts arrived, and the log has {events} events");
    assert_eq!(deployment.admin.json(&["audit", "verify"])["ok"], true);
}

async fn read_until(
    mut client: CredentialServiceClient<AuthorizedChannel>,
    id: String,
    stop: Arc<AtomicBool>,
    revealed: Arc<AtomicUsize>,
) {
    while !stop.load(Ordering::SeqCst) {
        let request = RevealCredentialRequest { id: id.clone(), previous: false };
        match client.reveal_credential(request).await {
            Ok(_) => _ = revealed.fetch_add(1, Ordering::SeqCst),
            Err(_) => return,
        }
    }
}
