//! HTTP without TLS, to and from other machines.

use std::sync::Arc;

use strongroom_runtime::client::Target;
use strongroom_runtime::server::{Serve, listen, serve};
use strongroom_runtime::{Error, Health, Metrics, Shutdown, SystemClock};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::server::{Everybody, limits};

async fn serving(plaintext: bool) -> Result<(), Error> {
    let shutdown = Shutdown::new();
    shutdown.begin();
    let serving = Serve {
        listener: TcpListener::bind("0.0.0.0:0").await.unwrap(),
        routes: Routes::default(),
        services: &[],
        authenticator: Arc::new(Everybody),
        tls: None,
        plaintext,
        limits: limits(),
        health: Health::new("test", &[], Arc::new(SystemClock)),
        metrics: Metrics::new(),
    };
    serve(serving, shutdown).await
}

#[tokio::test]
async fn other_machines_are_served_without_tls_only_where_it_is_allowed() {
    assert!(matches!(serving(false).await, Err(Error::PlaintextListener(_))));
    serving(true).await.unwrap();
    let everywhere = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(listen(everywhere, None, false).await, Err(Error::PlaintextListener(_))));
    listen(everywhere, None, true).await.unwrap();
    listen("127.0.0.1:0".parse().unwrap(), None, false).await.unwrap();
}

#[tokio::test]
async fn other_machines_are_called_without_tls_only_where_it_is_allowed() {
    let target = |plaintext| Target { url: "http://vault:7601".into(), plaintext, ..Target::default() };
    assert!(matches!(target(false).channel(), Err(Error::PlaintextTarget(host)) if host == "vault"));
    assert!(target(true).channel().is_ok());
}
