//! A server that runs out of descriptors: it waits instead of spinning, and serves again. Runs in its own process,
//! whose descriptors it uses up.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "limits/server.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod server;

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Server, limits};

/// Processor time of this process. Its file is opened before the descriptors run out.
fn processor_time(stat: &File) -> Duration {
    let mut text = [0; 1024];
    let length = stat.read_at(&mut text, 0).unwrap();
    let stat = std::str::from_utf8(&text[..length]).unwrap();
    let ticks = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lack_of_descriptors_is_waited_out() {
    let server = Server::start(limits()).await;
    server.assert_serves("somebody").await;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum }).unwrap();
    let stat = File::open("/proc/self/stat").unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One for the client; the server has none left to accept it with.
    files.pop();
    let waiting = TcpStream::connect(server.address).unwrap();
    let before = processor_time(&stat);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = processor_time(&stat) - before;
    assert!(used < Duration::from_millis(300), "the accept loop spins: {used:?} in a second");
    files.truncate(files.len() - 20);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.assert_serves("somebody").await;
    drop(waiting);
}
