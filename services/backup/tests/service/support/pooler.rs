//! A server address that answers with a database other than the requested one, as a pooler can.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The request for encryption, which is declined.
const SSL_REQUEST: u32 = 80_877_103;

/// Forwards to the server of `url` and requests the database to which `name` maps the requested one. Returns the URL of
/// the same database at the new address.
pub(crate) fn pooler(url: &str, name: impl Fn(&str) -> String + Send + Sync + Clone + 'static) -> String {
    let (before, rest) = url.split_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap();
    let server: SocketAddr = host.parse().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, name) = (client.unwrap(), name.clone());
            std::thread::spawn(move || forward(client, server, &name));
        }
    });
    format!("{before}@{own}/{database}")
}

fn forward(mut client: TcpStream, server: SocketAddr, name: &dyn Fn(&str) -> String) -> Option<()> {
    let mut packet = packet(&mut client)?;
    while u32::from_be_bytes(packet[..4].try_into().ok()?) == SSL_REQUEST {
        client.write_all(b"N").ok()?;
        packet = self::packet(&mut client)?;
    }
    let mut server = TcpStream::connect(server).ok()?;
    let begun = renamed(&packet, name);
    server.write_all(&(begun.len() as u32 + 4).to_be_bytes()).ok()?;
    server.write_all(&begun).ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
    Some(())
}

/// Reads a packet without its length.
fn packet(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length).ok()?;
    let mut packet = vec![0; (u32::from_be_bytes(length) as usize).checked_sub(4)?];
    client.read_exact(&mut packet).ok()?;
    Some(packet)
}

/// A startup packet with another database name.
fn renamed(packet: &[u8], name: &dyn Fn(&str) -> String) -> Vec<u8> {
    let (version, parameters) = packet.split_at(4);
    let texts: Vec<&str> =
        parameters.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).unwrap()).collect();
    let mut begun = version.to_vec();
    for pair in texts.chunks(2).take_while(|pair| !pair[0].is_empty()) {
        let value = if pair[0] == "database" { name(pair[1]) } else { pair[1].to_owned() };
        for text in [pair[0], &value] {
            begun.extend_from_slice(text.as_bytes());
            begun.push(0);
        }
    }
    begun.push(0);
    begun
}
