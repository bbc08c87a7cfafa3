//! Cost of sealing: `cargo bench -p strongroom-age --bench seal`. Asserts nothing; uses one core.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and a failed one is void"
)]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use strongroom_age::{
    FileKey, Header, Identity, Passphrase, Recipient, Recipients, SealReader, SealWriter, X25519Identity,
};

/// Plaintext bytes per round.
const BYTES: usize = 256 << 20;
const ROUNDS: usize = 8;

fn main() {
    let recovery = X25519Identity::generate();
    let recipients = Recipients::Keys(vec![Recipient::X25519(recovery.recipient())]);
    let block: Vec<u8> = (0..1 << 20).map(|at: u32| at.wrapping_mul(2_654_435_761) as u8).collect();
    let sealed = seal(&block, Vec::with_capacity(BYTES + (BYTES >> 10)), &recipients);
    report("seal", || {
        seal(&block, io::sink(), &recipients);
    });
    let identities = [Identity::X25519(recovery)];
    report("open", || open(&sealed, &identities));

    let start = Instant::now();
    let passphrase = Recipients::Passphrase(Passphrase::new("correct horse").unwrap());
    SealWriter::create(io::sink(), &FileKey::generate(), &passphrase).unwrap();
    println!("passphrase: {:.2} s", start.elapsed().as_secs_f64());
}

fn seal<W: Write>(block: &[u8], out: W, recipients: &Recipients) -> W {
    let mut writer = SealWriter::create(out, &FileKey::generate(), recipients).unwrap();
    for _ in 0..BYTES / (1 << 20) {
        writer.write_all(block).unwrap();
    }
    writer.finish().unwrap()
}

fn open(mut sealed: &[u8], identities: &[Identity]) {
    let unlocked = Header::read(&mut sealed).unwrap().unlock(identities).unwrap();
    let mut reader = SealReader::open(sealed, &unlocked).unwrap();
    let mut buffer = vec![0; 64 << 10];
    while reader.read(&mut buffer).unwrap() > 0 {
        black_box(&buffer);
    }
}

/// The median of the rounds.
fn report(name: &str, round: impl Fn()) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .collect();
    times.sort();
    let rate = |time: Duration| BYTES as f64 / 1e6 / time.as_secs_f64();
    println!("{name}: {:.0} MB/s (best {:.0})", rate(times[ROUNDS / 2]), rate(times[0]));
}
