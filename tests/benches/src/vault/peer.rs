//! RustyVault, another vault in Rust, in its intended setup: file storage, unsealed, a token with every call. Its
//! clients use the KV read where ours call Decrypt or Reveal. It keeps no audit log, so its read writes nothing, while
//! ours commits an event.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::server::VALUE;

const PROGRAM: &str = "rvault";
const PATH: &str = "/v1/secret/bench";
const TOKEN_HEADER: &str = "x-rustyvault-token";

/// A running server with one secret; ended when dropped.
pub(super) struct Peer {
    server: Child,
    address: String,
    token: String,
    _folder: tempfile::TempDir,
}

/// A caller's own connection, kept alive.
#[derive(Clone)]
pub(super) struct Reader {
    connection: Arc<Mutex<SendRequest<Full<Bytes>>>>,
    token: String,
}

impl Peer {
    /// `None` when the program is not on the PATH.
    pub(super) async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", e2e::free_port());
        let config = folder.path().join("rvault.hcl");
        std::fs::write(&config, configuration(&address, folder.path())).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("server").arg("--config").arg(&config);
        let server = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(server) => server,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("{PROGRAM} does not start: {error}"),
        };
        let mut peer = Self { server, address, token: String::new(), _folder: folder };
        peer.prepare().await;
        Some(peer)
    }

    /// One reader for each caller.
    pub(super) async fn readers(&self, callers: usize) -> Vec<Reader> {
        let mut readers = Vec::with_capacity(callers);
        for _ in 0..callers {
            let connection = Arc::new(Mutex::new(self.connect().await));
            readers.push(Reader { connection, token: self.token.clone() });
        }
        readers
    }

    /// Initialises and unseals the server, and stores a secret as long as ours.
    async fn prepare(&mut self) {
        let connection = &mut self.connect().await;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = answer(connection, request(Method::PUT, "/v1/sys/init", "", &shares)).await;
        let key = json!({"key": made["keys"][0]});
        answer(connection, request(Method::PUT, "/v1/sys/unseal", "", &key)).await;
        made["root_token"].as_str().unwrap().clone_into(&mut self.token);
        let secret = json!({"value": hex::encode(VALUE)});
        answer(connection, request(Method::POST, PATH, &self.token, &secret)).await;
    }

    /// Connects, waiting for a server that has just been started.
    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let mut tries = 0;
        let stream = loop {
            match TcpStream::connect(&self.address).await {
                Ok(stream) => break stream,
                Err(error) => assert!(tries < 200, "{PROGRAM} does not listen: {error}"),
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// One KV read.
pub(super) async fn read(reader: Reader) {
    let asked = Request::get(PATH).header("host", "bench").header(TOKEN_HEADER, &reader.token);
    let asked = asked.body(Full::default()).unwrap();
    let mut connection = reader.connection.lock().await;
    connection.ready().await.unwrap();
    let answered = connection.send_request(asked).await.unwrap();
    assert!(answered.status().is_success(), "{}", answered.status());
    let body = answered.into_body().collect().await.unwrap().to_bytes();
    assert!(body.len() > VALUE.len(), "the secret is not in {body:?}");
}

fn request(method: Method, path: &str, token: &str, body: &Value) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "bench");
    let request = request.header("content-type", "application/json").header(TOKEN_HEADER, token);
    request.body(Full::new(body.to_string().into())).unwrap()
}

/// The answer's body as JSON, `null` if there is none.
async fn answer(connection: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Value {
    connection.ready().await.unwrap();
    let answered = connection.send_request(request).await.unwrap();
    let status = answered.status();
    let body = answered.into_body().collect().await.unwrap().to_bytes();
    assert!(status.is_success(), "{status}: {body:?}");
    serde_json::from_slice(&body).unwrap_or_default()
}

fn configuration(address: &str, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "storage \"file\" {{\n  path = \"{folder}/data\"\n}}\n\
         listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = \"true\"\n}}\n\
         work_dir = \"{folder}/work\"\nlog_level = \"error\"\n"
    )
}
