//! Two misbehaving servers: a pooler that records what it is sent, and one that answers with an error.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Data sent by clients: names of start-up parameters and of prepared statements.
#[derive(Default, Clone)]
pub struct Seen {
    pub parameters: Vec<String>,
    pub statements: Vec<String>,
}

const SSL_REQUEST: u32 = 80_877_103;

/// Forwards connections to `upstream`, a `host:port`, and returns its own.
pub async fn pooler(upstream: String) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, upstream.clone(), Arc::clone(&noted)));
        }
    });
    (address, seen)
}

async fn forward(mut client: TcpStream, upstream: String, seen: Arc<Mutex<Seen>>) {
    let startup = startup(&mut client).await;
    let texts: Vec<String> = startup[8..]
        .split(|byte| *byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    let names = texts.chunks(2).map(|pair| pair[0].clone()).filter(|name| !name.is_empty());
    seen.lock().unwrap().parameters.extend(names);
    let mut server = TcpStream::connect(upstream).await.unwrap();
    server.write_all(&startup).await.unwrap();
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = client.split();
    let back = async { drop(tokio::io::copy(&mut from_server, &mut to_client).await) };
    let forth = async {
        while let Ok(kind) = from_client.read_u8().await {
            let length = from_client.read_u32().await.unwrap();
            let mut body = vec![0; length as usize - 4];
            from_client.read_exact(&mut body).await.unwrap();
            if kind == b'P' {
                let name = body.split(|byte| *byte == 0).next().unwrap();
                seen.lock().unwrap().statements.push(String::from_utf8_lossy(name).into_owned());
            }
            let message = [&[kind][..], &length.to_be_bytes(), &body].concat();
            to_server.write_all(&message).await.unwrap();
        }
    };
    tokio::join!(back, forth);
}

/// The start-up message, including its length.
async fn startup(client: &mut TcpStream) -> Vec<u8> {
    loop {
        let length = client.read_u32().await.unwrap();
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await.unwrap();
        if body[..4] == SSL_REQUEST.to_be_bytes() {
            client.write_all(b"N").await.unwrap();
            continue;
        }
        return [&length.to_be_bytes()[..], &body].concat();
    }
}

/// Accepts clients and answers their first statement with an error: SQLSTATE, message, detail and hint.
pub async fn refusing(fields: [&'static str; 4]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        startup(&mut client).await;
        let version = message(b'S', b"server_version\x0015.1\0");
        let ready = message(b'Z', b"I");
        let welcome = [message(b'R', &0_u32.to_be_bytes()), version, ready.clone()].concat();
        client.write_all(&welcome).await.unwrap();
        client.read_u8().await.unwrap();
        let mut error = b"SERROR\0VERROR\0".to_vec();
        for (kind, text) in b"CMDH".iter().zip(fields) {
            if !text.is_empty() {
                error.extend_from_slice(&[&[*kind][..], text.as_bytes(), b"\0"].concat());
            }
        }
        error.push(0);
        client.write_all(&[message(b'E', &error), ready].concat()).await.unwrap();
        // Waits until the client has read it.
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    });
    address
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}
