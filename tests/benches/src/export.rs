//! An export beside what operators use today, in pairs within one run.

mod data;
mod memory;
mod ours;
mod peers;
mod processors;
mod stages;

use std::time::Duration;

use strongroom_testkit::TestDb;

use crate::median;
use ours::Ours;
use peers::{PEERS, Peer};

/// What is run.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Rows of the log table.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Pairs of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only peers whose name contains this; `none` for the stages alone.
    #[arg(long, default_value = "")]
    peer: String,
    /// Seal both sides: ours as the server does, the peers by `age`.
    #[arg(long)]
    sealed: bool,
    /// Time and memory of ours at a tenth, one and four times `rows` instead.
    #[arg(long)]
    scale: bool,
}

/// One backup.
struct Sample {
    seconds: f64,
    /// Of all processors together, whoever used them.
    processors: Duration,
    /// Bytes at the peak: of all processes of a peer, of our backup service above idle.
    memory: u64,
    /// Bytes on disk.
    size: u64,
    first_byte: Option<Duration>,
}

/// Prints all tables.
pub(crate) async fn run(plan: Plan) {
    if plan.scale {
        return scale(&plan).await;
    }
    let Some(database) = TestDb::postgres() else { return };
    data::fill_postgres(&database, plan.rows).await;
    let folder = tempfile::tempdir().unwrap();
    let recipient = plan.sealed.then(|| peers::new_recipient(folder.path()));
    let service = Ours::start(&database);
    println!("{} rows, {} cores, {} pairs; medians", plan.rows, crate::cores(), plan.rounds);
    for peer in PEERS.iter().filter(|peer| peer.name.contains(&plan.peer)) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            ours.push(service.run(folder.path(), plan.sealed).await);
            theirs.push(peer.run(database.url_text(), folder.path(), recipient.as_deref()));
        }
        report(peer, &ours, &theirs);
    }
    drop(service);
    let sqlite = TestDb::sqlite();
    data::fill_sqlite(&sqlite, plan.rows / 5).await;
    stages::measure(&database.url(), &sqlite.url()).await;
}

async fn scale(plan: &Plan) {
    println!("rows        seconds   MiB above idle   MB of archive");
    for rows in [plan.rows / 10, plan.rows, plan.rows * 4] {
        let Some(database) = TestDb::postgres() else { return };
        data::fill_postgres(&database, rows).await;
        let folder = tempfile::tempdir().unwrap();
        let service = Ours::start(&database);
        let mut samples = Vec::new();
        for _ in 0..plan.rounds {
            samples.push(service.run(folder.path(), plan.sealed).await);
        }
        let (seconds, memory, size) = middle(&samples);
        println!("{rows:<10}  {seconds:>7.2}   {memory:>14.1}   {size:>13.1}");
    }
}

fn report(peer: &Peer, ours: &[Sample], theirs: &[Sample]) {
    let (seconds, memory, size) = middle(ours);
    let (their_seconds, their_memory, their_size) = middle(theirs);
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours.seconds / theirs.seconds);
    println!("\nbeside {}", peer.name);
    println!(
        "  seconds        {seconds:>8.2}  {their_seconds:>8.2}  ratio of pairs {:.2}",
        median(ratios.collect())
    );
    let busy =
        |samples: &[Sample]| median(samples.iter().map(|sample| sample.processors.as_secs_f64()).collect());
    println!("  processor s    {:>8.2}  {:>8.2}", busy(ours), busy(theirs));
    println!("  MB on disk     {size:>8.1}  {their_size:>8.1}  ratio {:.2}", size / their_size);
    println!("  peak MiB       {memory:>8.1}  {their_memory:>8.1}");
    let first = ours.iter().filter_map(|sample| sample.first_byte);
    println!("  first byte ms  {:>8.1}", median(first.map(|time| time.as_secs_f64() * 1e3).collect()));
}

/// Seconds, MiB of memory, MB of file.
fn middle(samples: &[Sample]) -> (f64, f64, f64) {
    let of = |field: fn(&Sample) -> f64| median(samples.iter().map(field).collect());
    (
        of(|sample| sample.seconds),
        of(|sample| sample.memory as f64 / f64::from(1 << 20)),
        of(|sample| megabytes(sample.size)),
    )
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
