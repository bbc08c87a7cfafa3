//! A stored backup compared with an export of the same data to a file and with restic, in a folder and in an S3 server
//! on the same disk.
//!
//! The S3 server is a separate process. It shares the processors with all others, so its time is shown separately: in a
//! deployment, it runs on another machine.

mod ours;
mod restic;
mod s3;

use strongroom_testkit::TestDb;

use crate::export::fill_postgres;
use crate::export::recovery::Recovery;
use crate::median;
use ours::{BUCKET, Cost, DISK, Ours};
use restic::Restic;
use s3::Server;
pub(crate) use s3::serve as serve_s3;

/// Options of the measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Rows of the log table.
    #[arg(long, default_value_t = 300_000)]
    rows: u64,
    /// Number of rounds, each with an export, a stored backup and a restic backup.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// Prints a table for each destination.
pub(crate) async fn run(plan: Plan) {
    let Some(database) = TestDb::postgres() else { return };
    fill_postgres(&database, plan.rows).await;
    let folder = tempfile::tempdir().unwrap();
    let recovery = Recovery::create(folder.path());
    let s3 = Server::start();
    let service = Ours::start(&database, &recovery, folder.path(), &s3).await;
    println!("{} rows, {} cores, {} rounds, sealed; medians", plan.rows, crate::cores(), plan.rounds);
    let url = database.url_text();
    let local = Restic::local(folder.path(), url);
    rounds(&plan, &service, DISK, &s3, &local).await;
    rounds(&plan, &service, BUCKET, &s3, &Restic::remote(folder.path(), url, &s3)).await;
}

async fn rounds(plan: &Plan, service: &Ours, destination: &str, s3: &Server, restic: &Restic) {
    let (mut exports, mut stored, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        // They take turns to be first.
        if round % 2 == 0 {
            exports.push(service.export());
            stored.push(service.create(destination, s3).await);
        } else {
            stored.push(service.create(destination, s3).await);
            exports.push(service.export());
        }
        theirs.push(restic.run(s3));
        if round == 0 {
            service.verify_newest();
        }
    }
    report(destination, &exports, &stored, &theirs);
}

fn report(destination: &str, exports: &[Cost], stored: &[Cost], theirs: &[Cost]) {
    let of = |costs: &[Cost], field: fn(&Cost) -> f64| median(costs.iter().map(field).collect());
    let ratios = |of: fn(&Cost) -> f64, others: &[Cost]| {
        let mut ratios: Vec<f64> =
            stored.iter().zip(others).map(|(stored, other)| of(stored) / other.seconds).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |share: usize| ratios[(ratios.len() - 1) * share / 4];
        format!("{:.2}, {:.2}, {:.2}", at(1), at(2), at(3))
    };
    println!("\n{destination}              stored    export    restic");
    let row = |name: &str, field: fn(&Cost) -> f64| {
        let [stored, export, restic] = [stored, exports, theirs].map(|costs| of(costs, field));
        println!("  {name:<18}{stored:>8.2}  {export:>8.2}  {restic:>8.2}");
    };
    row("seconds", |cost| cost.seconds);
    row("processor s", |cost| cost.processors);
    row("  of the S3 server", |cost| cost.server);
    row("its completion s", |cost| cost.completion);
    row("peak MiB", |cost| cost.memory as f64 / f64::from(1 << 20));
    println!("  quartiles of the rounds' ratios");
    println!("    stored / export: {}", ratios(|cost| cost.seconds, exports));
    if destination == BUCKET {
        println!("    without the completion: {}", ratios(|cost| cost.seconds - cost.completion, exports));
    }
    println!("    stored / restic: {}", ratios(|cost| cost.seconds, theirs));
}
