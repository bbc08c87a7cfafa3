//! An export compared with operators' present tools, in pairs within one run.

mod data;
pub(crate) mod memory;
mod ours;
mod peers;
pub(crate) mod recovery;
mod stages;

use std::path::Path;
use std::time::Duration;

use strongroom_testkit::TestDb;

pub(crate) use data::fill_postgres;
pub(crate) use peers::{RESTIC_PASSWORD, timed};

use crate::median;
use ours::Ours;
use peers::{PEERS, Peer};
use recovery::Recovery;

/// Options of the measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Rows of the log table.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Number of pairs of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only peers whose name contains this (`our own` for sealed against plain); `none` for the stages alone.
    #[arg(long, default_value = "")]
    peer: String,
    /// Seal neither side. Otherwise our side seals as the server does, and the peers seal with `age` or by themselves.
    #[arg(long)]
    plain: bool,
    /// Instead of pairs, our time and memory at a tenth, one and four times `rows`.
    #[arg(long)]
    scale: bool,
    /// Only the pairs, without the stages.
    #[arg(long)]
    no_stages: bool,
}

/// One backup.
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Processor time of all processes together.
    pub(crate) processors: Duration,
    /// Peak memory in bytes: for a peer of all its processes, for our backup service above its idle state.
    pub(crate) memory: u64,
    /// Bytes on disk.
    pub(crate) size: u64,
    first_byte: Option<Duration>,
}

/// Prints all tables.
pub(crate) async fn run(plan: Plan) {
    if plan.scale {
        return scale(&plan).await;
    }
    let Some(database) = TestDb::postgres() else { return };
    data::fill_postgres(&database, plan.rows).await;
    pairs(&plan, &database).await;
    if !plan.no_stages {
        let sqlite = TestDb::sqlite();
        data::fill_sqlite(&sqlite, plan.rows / 5).await;
        stages::measure(&database, &sqlite).await;
    }
}

async fn pairs(plan: &Plan, database: &TestDb) {
    let folder = tempfile::tempdir().unwrap();
    let recovery = Recovery::create(folder.path());
    let service = Ours::start(database, &recovery);
    let seal = if plan.plain { "plain" } else { "sealed" };
    println!("{} rows, {} cores, {} pairs, {seal}; medians", plan.rows, crate::cores(), plan.rounds);
    let key = (!plan.plain).then_some(&recovery);
    for peer in PEERS.iter().filter(|peer| peer.name.contains(&plan.peer)) {
        beside(peer, &service, plan, database.url_text(), folder.path(), key).await;
    }
    if !plan.plain && "our own".contains(&plan.peer) {
        beside_plain(&service, plan, folder.path()).await;
    }
}

async fn beside(
    peer: &Peer,
    service: &Ours,
    plan: &Plan,
    url: &str,
    folder: &Path,
    recovery: Option<&Recovery>,
) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        ours.push(service.run(folder, !plan.plain).await);
        theirs.push(peer.run(url, folder, recovery));
        if round == 0 {
            Ours::check(folder, recovery, plan.rows);
            peer.check(url, folder, recovery, plan.rows);
        }
    }
    report(peer.name, &ours, &theirs);
}

/// The cost of the seal.
async fn beside_plain(service: &Ours, plan: &Plan, folder: &Path) {
    let (mut sealed, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        sealed.push(service.run(folder, true).await);
        plain.push(service.run(folder, false).await);
    }
    Ours::check(folder, None, plan.rows);
    report("our own plain ones", &sealed, &plain);
}

async fn scale(plan: &Plan) {
    println!("{} exports each, {}; medians", plan.rounds, if plan.plain { "plain" } else { "sealed" });
    println!("rows        seconds   MiB above idle   MB of archive");
    for rows in [plan.rows / 10, plan.rows, plan.rows * 4] {
        let Some(database) = TestDb::postgres() else { return };
        data::fill_postgres(&database, rows).await;
        let folder = tempfile::tempdir().unwrap();
        let recovery = Recovery::create(folder.path());
        let service = Ours::start(&database, &recovery);
        let mut samples = Vec::new();
        for _ in 0..plan.rounds {
            samples.push(service.run(folder.path(), !plan.plain).await);
        }
        Ours::check(folder.path(), (!plan.plain).then_some(&recovery), rows);
        let (seconds, memory, size) = middle(&samples);
        println!("{rows:<10}  {seconds:>7.2}   {memory:>14.1}   {size:>13.1}");
    }
}

fn report(name: &str, ours: &[Sample], theirs: &[Sample]) {
    let (seconds, memory, size) = middle(ours);
    let (their_seconds, their_memory, their_size) = middle(theirs);
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours.seconds / theirs.seconds);
    println!("\nbeside {name}");
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

/// Medians: seconds, MiB of memory, MB of file size.
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
