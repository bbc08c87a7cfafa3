//! Re-encryption of an application table's sealed values under a new version, with the operator's command. Vault,
//! backup service and command are separate processes on the same cores as the database.

mod application;

use std::time::Instant;

use e2e::Deployment;
use strongroom_testkit::{TestDb, write_private};

use crate::median;
use application::{Application, KEY};

/// Options of the measurement.
#[derive(Clone, clap::Args)]
pub(crate) struct Plan {
    /// Values in the table.
    #[arg(long, default_value_t = 100_000)]
    values: u32,
    /// Number of rotations of each kind.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Prints the table.
pub(crate) async fn run(plan: Plan) {
    println!("{} values, {} cores, {} rounds; medians", plan.values, crate::cores(), plan.rounds);
    println!("{:<12} {:>12} {:>22} {:>28}", "", "values/s", "beside a writer", "longest wait of the writer");
    let databases = [("SQLite", Some(TestDb::sqlite())), ("PostgreSQL", TestDb::postgres())];
    for (name, database) in databases {
        let Some(database) = database else { continue };
        let bench = Bench::create(database, plan.values).await;
        let alone: Vec<f64> = (0..plan.rounds).map(|_| bench.one_run()).collect();
        let (mut beside, mut waits) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let writer = bench.application.begin_to_write();
            beside.push(bench.one_run());
            waits.push(writer.end().as_secs_f64() * 1e3);
        }
        let (alone, beside, waits) = (median(alone), median(beside), median(waits));
        println!("{name:<12} {alone:>12.0} {beside:>22.0} {waits:>25.1} ms");
    }
    println!("budget on PostgreSQL: 20000 values/s");
}

/// A deployment, and the application whose values it seals.
struct Bench {
    deployment: Deployment,
    application: Application,
    _vault_database: TestDb,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn create(database: TestDb, values: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, file) = (database.url_text().to_owned(), folder.path().join("owner.url"));
        write_private(&file, &url);
        let kind = if database.file().is_some() { "sqlite" } else { "postgres" };
        application::create_table(&database);
        let source = format!(
            "[[sources]]\nname = \"gateway\"\nkind = \"{kind}\"\nurl = \"{url}\"\nrestore_url_file = \"{}\"\n\n\
             [[sources.encrypted_columns]]\ncolumn = \"servers.bearer\"\nkey = \"{KEY}\"\naad = \"{{table}}/{{column}}/{{id}}\"\n",
            file.display()
        );
        let vault_database = TestDb::sqlite();
        let deployment = Deployment::start(vault_database.url_text(), &source);
        let _ = deployment.admin.json(&["key", "create", KEY]);
        let application = Application::fill(database, &deployment.admin, values).await;
        Self { deployment, application, _vault_database: vault_database, _folder: folder }
    }

    /// Values a second, including the start of the command.
    fn one_run(&self) -> f64 {
        let admin = &self.deployment.admin;
        let _ = admin.json(&["key", "rotate", KEY]);
        let began = Instant::now();
        let done = admin.json(&["source", "reencrypt", "gateway"]);
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(done["valuesLeft"], "0", "{done}");
        done["valuesDone"].as_str().unwrap().parse::<f64>().unwrap() / seconds
    }
}
