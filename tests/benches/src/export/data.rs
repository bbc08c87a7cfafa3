//! The data: a gateway's log, as wide and as repetitive as such logs are.
//!
//! It comes from a deterministic generator, so that two runs measure the same bytes; one million rows are about 650 MB
//! of JSON. Prompts consist of few common and many rare words, because pure noise or pure repetition would flatter one
//! compressor or another.

use std::fmt::Write as _;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use strongroom_testkit::TestDb;

/// Name of the table.
pub(super) const TABLE: &str = "gateway_logs";

/// Bytes of COPY text sent at once.
const PIECE: usize = 1 << 20;

const CREATE_POSTGRES: &str = "CREATE TABLE gateway_logs (
    id bigint, created_at timestamptz NOT NULL, request_id uuid NOT NULL, api_key_id integer,
    endpoint text NOT NULL, model text NOT NULL, status smallint NOT NULL, latency_ms integer NOT NULL,
    prompt_tokens integer, completion_tokens integer, cost numeric(12,6), cached boolean NOT NULL,
    metadata jsonb, prompt text)";

const CREATE_SQLITE: &str = "CREATE TABLE gateway_logs (
    id INTEGER PRIMARY KEY, created_at TEXT NOT NULL, request_id TEXT NOT NULL, api_key_id INTEGER,
    endpoint TEXT NOT NULL, model TEXT NOT NULL, status INTEGER NOT NULL, latency_ms INTEGER NOT NULL,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, cached INTEGER NOT NULL,
    metadata TEXT, prompt TEXT)";

/// Number of distinct rows; further rows are copies of these with other ids.
const DISTINCT: u64 = 1_000_000;

/// Fills a PostgreSQL database. The table is vacuumed so that no reader has to write hint bits.
pub(crate) async fn fill_postgres(database: &TestDb, rows: u64) {
    database.run(CREATE_POSTGRES);
    let made = rows.min(DISTINCT);
    copy_in(database, made).await;
    // The copies are too far apart for any of the compressors to notice them.
    let mut first = made;
    while first < rows {
        let more = made.min(rows - first);
        database.run(&format!(
            "INSERT INTO gateway_logs
             SELECT id + {first}, created_at, request_id, api_key_id, endpoint, model, status, latency_ms,
                    prompt_tokens, completion_tokens, cost, cached, metadata, prompt
             FROM gateway_logs WHERE id <= {more} ORDER BY id"
        ));
        first += more;
    }
    database.run("ALTER TABLE gateway_logs ADD PRIMARY KEY (id)");
    database.run("VACUUM (FREEZE, ANALYZE) gateway_logs");
    database.run("CHECKPOINT");
}

async fn copy_in(database: &TestDb, rows: u64) {
    let mut connection = PgConnection::connect(database.url_text()).await.unwrap();
    let mut copy = connection.copy_in_raw("COPY gateway_logs FROM STDIN").await.unwrap();
    let mut log = Log::default();
    let mut text = String::new();
    for id in 1..=rows {
        let row = log.row(id);
        text.push_str(&row.join("\t").replace("false", "f"));
        text.push('\n');
        if text.len() > PIECE {
            copy.send(text.as_bytes()).await.unwrap();
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await.unwrap();
    copy.finish().await.unwrap();
}

/// Fills a SQLite database.
pub(super) async fn fill_sqlite(database: &TestDb, rows: u64) {
    let file = database.file().unwrap();
    let options = SqliteConnectOptions::new().filename(file);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = wal; BEGIN").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(CREATE_SQLITE).execute(&mut connection).await.unwrap();
    let mut log = Log::default();
    for id in 1..=rows {
        let mut insert = sqlx::query(AssertSqlSafe(
            "INSERT INTO gateway_logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? = 'true', ?, ?)",
        ));
        for value in log.row(id) {
            insert = insert.bind((value != "\\N").then_some(value));
        }
        insert.execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
}

/// Generates rows, one after another.
struct Log {
    random: u64,
    words: Vec<String>,
}

impl Default for Log {
    fn default() -> Self {
        let mut log = Self { random: 0x9e37_79b9_7f4a_7c15, words: Vec::new() };
        log.words = (0..3000).map(|_| log.word()).collect();
        log
    }
}

impl Log {
    /// The next number of xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators,
    /// scrambled"), below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn one_of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        for _ in 0..=self.below(3) {
            let start = ["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "st", "tr", "v", "w"];
            word.push_str(self.one_of(&start));
            word.push_str(self.one_of(&["a", "e", "i", "o", "u", "ea", "ou", "io"]));
            word.push_str(self.one_of(&["", "n", "r", "s", "t", "l", "ng"]));
        }
        word
    }

    /// Text whose word ranks are the smallest of three draws: few words are common and many are rare.
    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            let draws = [self.below(3000), self.below(3000), self.below(3000)];
            let rank = usize::try_from(draws.into_iter().min().unwrap()).unwrap();
            text.push_str(&self.words[rank]);
            text.push(if self.below(12) == 0 { '.' } else { ' ' });
        }
        text
    }

    fn uuid(&mut self) -> String {
        let (a, b, c) = (self.below(1 << 31), self.below(1 << 31), self.below(1 << 31));
        format!("{a:08x}-{:04x}-4{:03x}-8{:03x}-{c:08x}{:04x}", b >> 15, a & 0xfff, b & 0xfff, b & 0xffff)
    }

    fn metadata(&mut self) -> String {
        let region = self.one_of(&["eu-central", "us-east", "us-west", "ap-south"]);
        let client = self.one_of(&["python-sdk/1.40.2", "node-sdk/4.56.0", "curl/8.5.0", "go-sdk/0.9.1"]);
        let (team, temperature) = (self.below(40), self.below(20));
        format!(
            "{{\"team\": \"team-{team}\", \"client\": \"{client}\", \"region\": \"{region}\", \
             \"temperature\": 0.{temperature}}}"
        )
    }

    /// A row's fourteen values as COPY text.
    fn row(&mut self, id: u64) -> [String; 14] {
        let second = id / 11;
        let mut created = String::new();
        let (day, hour, minute) = (second / 86_400, second / 3600 % 24, second / 60 % 60);
        let (second, micros) = (second % 60, self.below(1_000_000));
        write!(created, "2026-{:02}-{:02} ", 1 + day / 28, 1 + day % 28).unwrap();
        write!(created, "{hour:02}:{minute:02}:{second:02}.{micros:06}+00").unwrap();
        let status = if self.below(30) == 0 { self.one_of(&["400", "429", "500", "503"]) } else { "200" };
        let api_key = if self.below(20) == 0 { "\\N".to_owned() } else { self.below(900).to_string() };
        let (whole, micros) = (self.below(3), self.below(1_000_000));
        let length = usize::try_from(60 + self.below(360)).unwrap();
        [
            id.to_string(),
            created,
            self.uuid(),
            api_key,
            format!("/v1/{}/{}", self.one_of(&["chat", "embed", "complete"]), self.below(60)),
            self.one_of(&["gpt-4o-mini", "claude-sonnet", "mistral-large", "llama-3-70b"]).to_owned(),
            status.to_owned(),
            (40 + self.below(9000)).to_string(),
            self.below(4000).to_string(),
            self.below(2000).to_string(),
            format!("{whole}.{micros:06}"),
            (self.below(6) == 0).to_string(),
            self.metadata(),
            self.text(length),
        ]
    }
}
