//! A restore compared with `pg_restore` and `psql \copy` of the same rows, with the same indexes, keys and foreign
//! keys; its memory; and a `replace` of a hundredth of the rows while clients read and write.
//!
//! The peers load the output of `pg_dump` for the same tables. Our time is that of `restore apply`, because the plan is
//! made beforehand.

mod load;
mod ours;
mod peers;
mod tables;

use strongroom_testkit::TestDb;

use crate::export::recovery::Recovery;
use crate::median;
use load::Load;
use ours::{Applied, Ours};
use peers::Peers;

/// Options of the measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Rows of the log table.
    #[arg(long, default_value_t = 300_000)]
    rows: u64,
    /// Number of rounds of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only memory and seconds, at a tenth, one and four times the rows.
    #[arg(long)]
    scale: bool,
}

/// Prints the tables.
pub(crate) async fn run(plan: Plan) {
    if plan.scale {
        println!("{:>10}  {:>8}  {:>8}", "rows", "seconds", "peak MiB");
        for rows in [plan.rows / 10, plan.rows, plan.rows * 4] {
            let Some(bench) = Bench::create(rows).await else { return };
            let applied = bench.fill_empty();
            println!("{rows:>10}  {:>8.2}  {:>8.1}", applied.seconds, mib(applied.memory));
        }
        return;
    }
    let Some(bench) = Bench::create(plan.rows).await else { return };
    println!("{} rows, {} cores, {} rounds; medians", plan.rows, crate::cores(), plan.rounds);
    bench.beside_peers(plan.rounds);
    bench.replace(plan.rounds, plan.rows);
}

/// One deployment, its database and the peers' files.
struct Bench {
    database: TestDb,
    ours: Ours,
    peers: Peers,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn create(rows: u64) -> Option<Self> {
        let database = TestDb::postgres()?;
        tables::create(&database, rows).await;
        let folder = tempfile::tempdir().unwrap();
        let recovery = Recovery::create(folder.path());
        let ours = Ours::start(&database, &recovery, folder.path());
        let peers = Peers::dump(&database, folder.path());
        Some(Self { database, ours, peers, _folder: folder })
    }

    fn fill_empty(&self) -> Applied {
        tables::empty(&self.database);
        self.ours.restore("into-empty")
    }

    fn beside_peers(&self, rounds: usize) {
        let (mut ours, mut restored, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        let mut memory = 0;
        for _ in 0..rounds {
            let applied = self.fill_empty();
            memory = memory.max(applied.memory);
            ours.push(applied.seconds);
            restored.push(self.peers.pg_restore());
            tables::empty(&self.database);
            copied.push(self.peers.copy());
        }
        let ratios =
            |others: &[f64]| median(ours.iter().zip(others).map(|(ours, other)| ours / other).collect());
        println!("\ninto empty tables     seconds   ours / peer");
        println!("  restore apply     {:>9.2}", median(ours.clone()));
        println!("  pg_restore        {:>9.2}   {:>8.2}", median(restored.clone()), ratios(&restored));
        println!("  psql \\copy        {:>9.2}   {:>8.2}", median(copied.clone()), ratios(&copied));
        println!("  peak memory above idle: {:.1} MiB", mib(memory));
    }

    /// The longest wait of a client, without a restore and while a hundredth of the rows is replaced.
    fn replace(&self, rounds: usize, rows: u64) {
        let (mut seconds, mut paused) = (Vec::new(), Vec::new());
        let (mut readers, mut writers, mut idle) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            tables::change(&self.database, rows, round);
            let quiet = Load::begin(&self.database);
            std::thread::sleep(std::time::Duration::from_secs(3));
            idle.push(quiet.end().reader);
            let load = Load::begin(&self.database);
            let applied = self.ours.restore("replace");
            let longest = load.end();
            seconds.push(applied.seconds);
            paused.push(applied.paused);
            readers.push(longest.reader);
            writers.push(longest.writer);
        }
        println!("\nreplace of 1 % under load");
        println!("  restore apply, with its safety backup   {:>8.2} s", median(seconds));
        println!("  writers held                            {:>8.2} s", median(paused));
        println!("  longest wait of a reader, idle          {:>8.1} ms", median(idle) * 1e3);
        println!("  longest wait of a reader                {:>8.1} ms", median(readers) * 1e3);
        println!("  longest wait of a writer                {:>8.2} s", median(writers));
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
