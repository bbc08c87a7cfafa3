//! A network between the command and the service that loses its first connections.

use tokio::io::{AsyncReadExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// The address of a relay to `url` whose first connections break after these numbers of bytes from the client, in
/// order.
pub(super) async fn way_to(url: &str, after: &'static [u64]) -> String {
    let service = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut limits = after.iter().copied().chain(std::iter::repeat(u64::MAX));
        while let (Ok((client, _)), Some(limit)) = (listener.accept().await, limits.next()) {
            let service = TcpStream::connect(&service).await.unwrap();
            tokio::spawn(pass(client, service, limit));
        }
    });
    address
}

async fn pass(client: TcpStream, service: TcpStream, limit: u64) {
    let ((from_client, mut to_client), (mut from_service, mut to_service)) =
        (client.into_split(), service.into_split());
    let mut limited = from_client.take(limit);
    // The end of either direction ends the other.
    tokio::select! {
        _ = copy(&mut limited, &mut to_service) => {}
        _ = copy(&mut from_service, &mut to_client) => {}
    }
}
