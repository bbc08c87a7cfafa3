//! Every credential moves to a new key version while readers reveal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::{ReencryptRequest, RevealCredentialRequest, RotateKeyRequest};
use strongroom_runtime::client::AuthorizedChannel;
use tokio::task::JoinSet;

use super::Plan;
use super::fill;
use super::server::{BenchVault, VALUE};

const READERS: u32 = 4;

/// One reader's results.
#[derive(Default)]
struct Reads {
    done: u32,
    failed: u32,
}

pub(super) async fn measure(vaults: &[BenchVault], plan: Plan) {
    println!();
    for vault in vaults {
        for readers in [0, READERS] {
            one_run(vault, readers, plan.credentials).await;
        }
    }
}

async fn one_run(vault: &BenchVault, readers: u32, credentials: u32) {
    let mut client = KeyServiceClient::new(vault.channel());
    client.rotate_key(RotateKeyRequest { key_id: "credential".into() }).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut reading = JoinSet::new();
    for reader in 0..readers {
        reading.spawn(read(vault.channel(), reader, credentials, Arc::clone(&stop)));
    }
    let began = Instant::now();
    let rows = reencrypt(&mut client).await;
    let seconds = began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let reads = reading.join_all().await;
    let done: u32 = reads.iter().map(|reads| reads.done).sum();
    let failed: u32 = reads.iter().map(|reads| reads.failed).sum();
    println!(
        "re-encryption of {rows} rows on {:<12} {:>7.0} rows/s (budget 50000) beside {:>6.0} reveals/s, {failed} failed",
        vault.name,
        f64::from(rows) / seconds,
        f64::from(done) / seconds,
    );
}

/// Runs a re-encryption to its end and returns the number of rows moved.
async fn reencrypt(client: &mut KeyServiceClient<AuthorizedChannel>) -> u32 {
    let request = ReencryptRequest { rows_per_second: 0 };
    let mut progress = client.reencrypt(request).await.unwrap().into_inner();
    loop {
        let message = progress.message().await.unwrap().unwrap();
        if message.done {
            assert_eq!(message.rows_left, 0);
            return message.rows_done.try_into().unwrap();
        }
    }
}

/// Reveals credentials from all over the table, one after another.
async fn read(channel: AuthorizedChannel, reader: u32, credentials: u32, stop: Arc<AtomicBool>) -> Reads {
    let mut client = CredentialServiceClient::new(channel);
    let (mut reads, mut at) = (Reads::default(), reader.wrapping_mul(7919));
    while !stop.load(Ordering::Relaxed) {
        at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let request = RevealCredentialRequest { id: fill::id((at >> 4) % credentials), ..Default::default() };
        let revealed = client.reveal_credential(request).await;
        let right = revealed.is_ok_and(|revealed| revealed.into_inner().secret == VALUE.as_slice());
        reads.done += 1;
        reads.failed += u32::from(!right);
    }
    reads
}
