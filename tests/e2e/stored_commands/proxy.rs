//! A connection that breaks: a proxy between an operator and the service forwards a limited number of bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::Operator;

/// What the proxy does with a connection after its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Cut,
    Hang,
}

/// A proxy between an operator and the backup service.
pub(super) struct Proxy {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy in front of the service of `operator`: each connection gets `bytes` of answers.
    pub(super) fn before(operator: &Operator, bytes: usize, after: After) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = operator.backup_url.strip_prefix("http://").unwrap().to_owned();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                pass(client, TcpStream::connect(&service).unwrap(), bytes, after);
            }
        });
        Self { url, connections }
    }

    /// The same operator, calling through the proxy.
    pub(super) fn operator(&self, operator: &Operator) -> Operator {
        Operator { backup_url: self.url.clone(), ..operator.clone() }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn pass(client: TcpStream, service: TcpStream, bytes: usize, after: After) {
    let (asking, asked) = (client.try_clone().unwrap(), service.try_clone().unwrap());
    std::thread::spawn(move || copy(asking, asked, usize::MAX));
    std::thread::spawn(move || {
        copy(service.try_clone().unwrap(), client.try_clone().unwrap(), bytes);
        match after {
            After::Cut => [service, client].iter().for_each(|end| drop(end.shutdown(Shutdown::Both))),
            After::Hang => loop {
                std::thread::park();
            },
        }
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut piece = vec![0; 64 << 10];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut piece) else { return };
        let passed = read.min(left);
        if to.write_all(&piece[..passed]).is_err() {
            return;
        }
        left -= passed;
    }
}
