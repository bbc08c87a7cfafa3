//! Encrypt, Decrypt and Reveal against the echo, with the audit log as durable as it always is.

use std::time::Duration;

use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{DecryptRequest, RevealCredentialRequest};
use strongroom_runtime::client::AuthorizedChannel;
use tonic::transport::Channel;

use super::load::{self, Sample};
use super::server::{AAD, BenchVault, KEY, encrypt_request};
use super::{Plan, echo};

const CONCURRENCY: [usize; 3] = [1, 16, 64];
/// Callers that share a connection: one connection is one task on each side.
const CALLERS_A_CONNECTION: usize = 16;

/// What one caller calls with.
#[derive(Clone)]
struct State {
    channel: AuthorizedChannel,
    ciphertext: String,
    credential_id: String,
}

const CALLS: [&str; 3] = ["Encrypt", "Decrypt", "Reveal"];

/// `commits` are the milliseconds of a single-row commit on each vault's database.
pub(super) async fn measure(vaults: &[BenchVault], commits: &[f64], plan: Plan) {
    let url = echo::serve().await;
    println!("{:<22} {:>4} {:>10} {:>9} {:>9} {:>8}", "call", "at", "calls/s", "p50 ms", "p99 ms", "of echo");
    for concurrency in CONCURRENCY {
        let mut echoes = Vec::new();
        let mut samples = vec![Vec::new(); vaults.len() * CALLS.len()];
        for _ in 0..plan.rounds {
            echoes.push(
                load::run(echo_channels(&url, concurrency), plan.cell, |channel| {
                    echo::call(channel, encrypt_request())
                })
                .await,
            );
            for (at, cell) in samples.iter_mut().enumerate() {
                let (vault, call) = (&vaults[at / CALLS.len()], at % CALLS.len());
                cell.push(one_cell(states(vault, concurrency), call, plan.cell).await);
            }
        }
        let echo = load::middle(&echoes);
        row("bare echo", concurrency, echo, echo);
        for (at, cell) in samples.iter().enumerate() {
            let (vault, call) = (at / CALLS.len(), CALLS[at % CALLS.len()]);
            let sample = load::middle(cell);
            row(&format!("{call} {}", vaults[vault].name), concurrency, sample, echo);
            if concurrency == 1 && call != "Encrypt" {
                println!(
                    "{:<22} {:>4} {:>31.3} ms more than a commit (budget 0.3)",
                    "",
                    "",
                    sample.p50 - commits[vault]
                );
            }
        }
    }
    println!();
}

/// One call at the highest concurrency.
pub(super) async fn measure_one(vault: &BenchVault, call: &str, time: Duration) {
    let call = CALLS.iter().position(|one| *one == call).unwrap();
    let concurrency = CONCURRENCY[CONCURRENCY.len() - 1];
    let sample = one_cell(states(vault, concurrency), call, time).await;
    println!("{} on {}: {:.0} calls/s, p50 {:.3} ms", CALLS[call], vault.name, sample.rate, sample.p50);
}

fn row(name: &str, concurrency: usize, sample: Sample, echo: Sample) {
    let Sample { rate, p50, p99 } = sample;
    println!("{name:<22} {concurrency:>4} {rate:>10.0} {p50:>9.3} {p99:>9.3} {:>8.2}", rate / echo.rate);
}

fn echo_channels(url: &str, callers: usize) -> Vec<Channel> {
    spread(callers, || echo::channel(url))
}

fn states(vault: &BenchVault, callers: usize) -> Vec<State> {
    spread(callers, || State {
        channel: vault.channel(),
        ciphertext: vault.ciphertext.clone(),
        credential_id: vault.credential_id.clone(),
    })
}

fn spread<T: Clone>(callers: usize, connect: impl Fn() -> T) -> Vec<T> {
    let connections: Vec<T> = (0..callers.div_ceil(CALLERS_A_CONNECTION)).map(|_| connect()).collect();
    (0..callers).map(|caller| connections[caller % connections.len()].clone()).collect()
}

async fn one_cell(states: Vec<State>, call: usize, time: Duration) -> Sample {
    match call {
        0 => load::run(states, time, encrypt).await,
        1 => load::run(states, time, decrypt).await,
        _ => load::run(states, time, reveal).await,
    }
}

async fn encrypt(state: State) {
    CryptoServiceClient::new(state.channel).encrypt(encrypt_request()).await.unwrap();
}

async fn decrypt(state: State) {
    let request = DecryptRequest { key_id: KEY.into(), ciphertext: state.ciphertext, aad: AAD.into() };
    CryptoServiceClient::new(state.channel).decrypt(request).await.unwrap();
}

async fn reveal(state: State) {
    let request = RevealCredentialRequest { id: state.credential_id, ..Default::default() };
    CredentialServiceClient::new(state.channel).reveal_credential(request).await.unwrap();
}
