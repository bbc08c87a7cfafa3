//! Sealing many small values: the cryptography alone on one core, and whole batches over gRPC.

use std::hint::black_box;
use std::time::{Duration, Instant};

use strongroom_api::vault::v1::BatchEncryptRequest;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_crypto::{Cell, KeyRing, KeyVersion, Purpose, RootKey};
use strongroom_runtime::client::AuthorizedChannel;

use super::load;
use super::server::{AAD, BenchVault, KEY, VALUE, encrypt_request};
use super::{Plan, median};

const ITEMS: usize = 1000;

pub(super) async fn measure(vaults: &[BenchVault], plan: Plan) {
    let mut rates = Vec::new();
    for _ in 0..plan.rounds {
        rates.push(tokio::task::spawn_blocking(move || in_process(plan.cell)).await.unwrap());
    }
    println!("encrypt 64-byte values, one core in process: {:>9.0} items/s (budget 500000)", median(rates));
    let vault = &vaults[0];
    for callers in [1, 2] {
        let mut samples = Vec::new();
        for _ in 0..plan.rounds {
            let channels = (0..callers).map(|_| vault.channel()).collect();
            samples.push(load::run(channels, plan.cell, batch_encrypt).await);
        }
        let sample = load::middle(samples);
        println!(
            "BatchEncrypt of {ITEMS}, {callers} callers over gRPC:     {:>9.0} items/s",
            sample.rate * 1e3
        );
    }
    println!();
}

/// Values a second, sealed as the vault seals a caller's values.
fn in_process(time: Duration) -> f64 {
    let root = RootKey::generate();
    let ring = KeyRing::open(&[&root], &[KeyVersion::create(&root, KEY, Purpose::Caller, 1)]).unwrap();
    let began = Instant::now();
    let mut items = 0.0;
    while began.elapsed() < time {
        for _ in 0..ITEMS {
            let row = hex::encode(AAD);
            let cell = Cell { purpose: Purpose::Caller, table: "caller", column: KEY, row: &row };
            black_box(ring.seal(KEY, &cell, black_box(&VALUE)).unwrap());
            items += 1.0;
        }
    }
    items / began.elapsed().as_secs_f64()
}

async fn batch_encrypt(channel: AuthorizedChannel) {
    let mut client = CryptoServiceClient::new(channel);
    let items = vec![encrypt_request(); ITEMS];
    client.batch_encrypt(BatchEncryptRequest { items }).await.unwrap();
}
