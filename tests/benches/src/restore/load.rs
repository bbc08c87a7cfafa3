//! Clients that read and write while rows are replaced, and the longest wait of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use strongroom_testkit::TestDb;

/// One client that reads rows by key, and one that changes a row.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<f64>,
    writer: JoinHandle<f64>,
}

/// Longest waits in seconds.
pub(super) struct Longest {
    pub(super) reader: f64,
    pub(super) writer: f64,
}

impl Load {
    pub(super) fn begin(database: &TestDb) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let read = "SELECT count(*) FROM gateway_logs WHERE id BETWEEN 500 AND 510";
        let write = "UPDATE gateway_logs SET cached = NOT cached WHERE id = 501";
        let reader = client(database, &stop, read);
        let writer = client(database, &stop, write);
        Self { stop, reader, writer }
    }

    pub(super) fn end(self) -> Longest {
        self.stop.store(true, Ordering::Relaxed);
        Longest { reader: self.reader.join().unwrap(), writer: self.writer.join().unwrap() }
    }
}

fn client(database: &TestDb, stop: &Arc<AtomicBool>, sql: &str) -> JoinHandle<f64> {
    let (url, stop, sql) = (database.url_text().to_owned(), Arc::clone(stop), sql.to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let mut longest: f64 = 0.0;
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut connection).await.unwrap();
                longest = longest.max(began.elapsed().as_secs_f64());
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            longest
        })
    })
}
