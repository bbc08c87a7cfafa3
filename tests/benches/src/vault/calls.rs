//! Compares Encrypt, Decrypt and Reveal with the echo and, if another vault is installed, with its KV read. The audit
//! log is as durable as in production.

use std::time::Duration;

use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::{DecryptRequest, RevealCredentialRequest};
use strongroom_runtime::client::AuthorizedChannel;
use tonic::transport::Channel;

use super::load::{self, Sample};
use super::peer::{self, Peer};
use super::server::{AAD, BenchVault, KEY, encrypt_request};
use super::{Plan, echo};

const CONCURRENCY: [usize; 4] = [1, 16, 64, 256];
/// Number of callers for a call that is measured alone.
const ALONE: usize = 64;
/// Number of callers that share a connection: one connection is one task on each side.
const CALLERS_A_CONNECTION: usize = 16;

/// A caller's connection and data.
#[derive(Clone)]
struct State {
    channel: AuthorizedChannel,
    ciphertext: String,
    credential_id: String,
}

const CALLS: [&str; 3] = ["Encrypt", "Decrypt", "Reveal"];

/// Samples measured side by side.
struct Round {
    echo: Sample,
    peer: Option<Sample>,
    /// Samples of each vault in turn, in the order of [`CALLS`].
    ours: Vec<Sample>,
}

/// `commits` are the milliseconds of a single-row commit on each vault's database.
pub(super) async fn measure(vaults: &[BenchVault], commits: &[f64], plan: Plan) {
    let url = echo::serve().await;
    let peer = Peer::start().await;
    if peer.is_none() {
        println!("RustyVault is skipped: no rvault is on the PATH (cargo install rusty_vault)\n");
    }
    println!(
        "{:<22} {:>4} {:>10} {:>9} {:>9} {:>8} {:>8}",
        "call (at N callers)", "at", "calls/s", "p50 ms", "p99 ms", "of echo", "of peer"
    );
    for concurrency in CONCURRENCY {
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            rounds.push(round(vaults, &url, peer.as_ref(), concurrency, plan.cell).await);
        }
        print(vaults, commits, concurrency, &rounds);
    }
    println!();
}

async fn round(
    vaults: &[BenchVault],
    url: &str,
    peer: Option<&Peer>,
    callers: usize,
    time: Duration,
) -> Round {
    let echo =
        load::run(echo_channels(url, callers), time, |channel| echo::call(channel, encrypt_request())).await;
    let peer = match peer {
        Some(peer) => Some(load::run(peer.readers(callers).await, time, peer::read).await),
        None => None,
    };
    let mut ours = Vec::new();
    for vault in vaults {
        for call in 0..CALLS.len() {
            ours.push(one_cell(states(vault, callers), call, time).await);
        }
    }
    Round { echo, peer, ours }
}

/// Prints the medians of all rounds.
fn print(vaults: &[BenchVault], commits: &[f64], callers: usize, rounds: &[Round]) {
    let echo = load::middle(rounds.iter().map(|round| round.echo));
    let peers: Option<Vec<Sample>> = rounds.iter().map(|round| round.peer).collect();
    let peer = peers.map(load::middle);
    row("bare echo", callers, echo, echo, None);
    if let Some(peer) = peer {
        row("RustyVault KV read", callers, peer, echo, None);
    }
    for at in 0..vaults.len() * CALLS.len() {
        let (vault, call) = (at / CALLS.len(), CALLS[at % CALLS.len()]);
        let sample = load::middle(rounds.iter().map(|round| round.ours[at]));
        let opens = call != "Encrypt";
        row(&format!("{call} {}", vaults[vault].name), callers, sample, echo, peer.filter(|_| opens));
        if callers == 1 && opens {
            let more = sample.p50 - commits[vault];
            println!("{:<22} {:>4} {more:>31.3} ms more than a commit (budget 0.3)", "", "");
        }
    }
}

/// One call alone, by [`ALONE`] callers.
pub(super) async fn measure_one(vault: &BenchVault, call: &str, time: Duration) {
    let call = CALLS.iter().position(|one| *one == call).unwrap();
    let sample = one_cell(states(vault, ALONE), call, time).await;
    println!("{} on {}: {:.0} calls/s, p50 {:.3} ms", CALLS[call], vault.name, sample.rate, sample.p50);
}

fn row(name: &str, callers: usize, sample: Sample, echo: Sample, peer: Option<Sample>) {
    let Sample { rate, p50, p99 } = sample;
    let of_echo = rate / echo.rate;
    let of_peer = peer.map_or(String::new(), |peer| format!("{:>8.2}", rate / peer.rate));
    println!("{name:<22} {callers:>4} {rate:>10.0} {p50:>9.3} {p99:>9.3} {of_echo:>8.2} {of_peer}");
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
