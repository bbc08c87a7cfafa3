use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::*;

/// A PostgreSQL server's answer to a connection without a password: `AuthenticationOk`, `ReadyForQuery`.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// A database that accepts a connection and a query, does not answer it, and reports when it arrived.
fn silent() -> (Source, oneshot::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://x@{}/x?sslmode=disable", listener.local_addr().unwrap());
    let config = toml::from_str("name = 'shop'\nkind = 'postgres'").unwrap();
    let source = Source::Sql(Box::new(SqlSource::create(config, &url, None).unwrap()));
    let (asked, seen) = oneshot::channel();
    std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        let mut bytes = [0; 1024];
        let _startup = connection.read(&mut bytes).unwrap();
        connection.write_all(WELCOME).unwrap();
        let _query = connection.read(&mut bytes).unwrap();
        // The receiver of the query keeps it open.
        let _ = asked.send(connection);
    });
    (source, seen)
}

/// Waits in real time until the query is sent; then the clock runs until the waiting ends.
async fn given_up(listing: impl Future<Output = Result<Listing>>, seen: oneshot::Receiver<TcpStream>) {
    let mut listing = pin!(listing);
    let _connection = tokio::select! {
        early = &mut listing => panic!("it has ended: {:?}", early.map(drop)),
        connection = seen => connection.unwrap(),
    };
    tokio::time::pause();
    let began = Instant::now();
    let error = listing.await.map(drop).unwrap_err();
    let text = "source shop did not list its tables within 60 s; check whether it hangs, then try again";
    assert_eq!((error.reason(), error.to_string().as_str()), ("SOURCE_UNAVAILABLE", text));
    assert!(began.elapsed() > LISTING - Duration::from_secs(10), "after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_database_that_says_nothing_is_given_up() {
    let (source, seen) = silent();
    given_up(source.list(), seen).await;
}

#[tokio::test]
async fn the_check_at_start_does_not_wait_for_it_either() {
    let (source, seen) = silent();
    given_up(source.check(), seen).await;
}
