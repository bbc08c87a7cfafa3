#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connections::{CONNECTIONS, HEAD};
use super::*;
use crate::clock::SystemClock;

struct Fixture {
    address: SocketAddr,
    health: Health,
    site: Site,
    _task: JoinSet<()>,
}

impl Fixture {
    async fn start() -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let health = Health::new("vault", &["database"], Arc::new(SystemClock));
        let site = Site::new(health.clone(), Metrics::new());
        let task = start(Some(listener), site.clone());
        Self { address, health, site, _task: task }
    }

    /// The whole answer to `head`, which this completes.
    async fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost")).await
    }
}

#[tokio::test]
async fn probes_and_scrapers_are_answered_before_anything_is_open() {
    let fixture = Fixture::start().await;
    assert!(fixture.get("/livez").await.starts_with("HTTP/1.1 200 "));
    let ready = fixture.get("/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.ends_with("\r\n\r\ndatabase: starting\n"), "{ready}");
    let metrics = fixture.get("/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("\nstrongroom_build_info{"), "{metrics}");
    let page = fixture.get("/").await;
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("not ready"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'; style-src 'sha256-"), "{page}");
    assert_eq!(page.matches("Starting").count(), 1, "{page}");
    fixture.health.stop();
    assert!(fixture.get("/readyz").await.contains("process: stopping\n"));
    assert!(fixture.get("/livez").await.starts_with("HTTP/1.1 200 "), "it is not for /livez to say");
}

#[tokio::test]
async fn the_page_is_for_this_machine_by_its_own_name() {
    let fixture = Fixture::start().await;
    let refused = fixture.ask("GET / HTTP/1.1\r\nHost: rebound.example.com").await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("localhost"), "{refused}");
    let scraped = fixture.ask("GET /metrics HTTP/1.1\r\nHost: vault.example.com").await;
    assert!(scraped.starts_with("HTTP/1.1 200 "), "{scraped}");
}

#[tokio::test]
async fn there_is_nothing_else() {
    let fixture = Fixture::start().await;
    for head in ["GET /admin", "GET /metrics/", "POST /", "POST /metrics", "DELETE /readyz", "GET //"] {
        let answer = fixture.ask(&format!("{head} HTTP/1.1\r\nHost: localhost")).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("/metrics only."), "{head}: {answer}");
    }
}

#[tokio::test]
async fn a_long_head_is_refused() {
    let fixture = Fixture::start().await;
    let long = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(64 << 10));
    assert!(fixture.ask(&long).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn who_sends_nothing_is_cut_and_keeps_nobody_out() {
    let fixture = Fixture::start().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS + 3 {
        silent.push(TcpStream::connect(fixture.address).await.unwrap());
    }
    assert!(fixture.get("/livez").await.starts_with("HTTP/1.1 200 "));
    let first = timeout(Duration::from_secs(1), silent[0].read(&mut [0])).await;
    assert!(first.is_ok_and(|read| read.is_ok_and(|bytes| bytes == 0)), "the oldest made room");
    let mut last = silent.pop().unwrap();
    last.write_all(b"GET /livez HTTP/1.1\r\nHost: ").await.unwrap();
    let cut = timeout(HEAD + Duration::from_secs(2), last.read_to_end(&mut Vec::new())).await;
    assert!(cut.is_ok(), "half a head is not waited for");
}

#[tokio::test]
async fn a_flood_ends_no_answer_that_is_under_way() {
    let fixture = Fixture::start().await;
    fixture.site.publish(Arc::new(Hangs));
    let mut asking = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(fixture.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        asking.push(stream);
        if asking.len() == CONNECTIONS - 1 {
            // A silent connection takes the last place, and then gives it up to a probe.
            let _silent = TcpStream::connect(fixture.address).await.unwrap();
            assert!(fixture.get("/livez").await.starts_with("HTTP/1.1 200 "));
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut refused = TcpStream::connect(fixture.address).await.unwrap();
    let read = timeout(Duration::from_secs(1), refused.read(&mut [0])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "there is no place left");
    for mut stream in asking {
        let mut answer = String::new();
        timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("did not answer in time"), "{answer}");
    }
}

struct Hangs;

#[async_trait]
impl Sections for Hangs {
    async fn sections(&self) -> Vec<Section> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_read_says_so() {
    let health = Health::new("backup", &[], Arc::new(SystemClock));
    let began = tokio::time::Instant::now();
    let html = page::render(&health, Some(&Hangs)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "somebody waits for it");
    assert!(html.contains("did not answer in time") && html.contains("Backup service"), "{html}");
}

#[tokio::test]
async fn own_sections_come_when_they_are_published() {
    struct Own;
    #[async_trait]
    impl Sections for Own {
        async fn sections(&self) -> Vec<Section> {
            vec![Section { title: "Own", blocks: vec![content::Block::Note("all is well".into())] }]
        }
    }
    let fixture = Fixture::start().await;
    fixture.site.publish(Arc::new(Own));
    let page = fixture.get("/").await;
    assert!(page.contains("all is well") && !page.contains("not open yet"), "{page}");
}
