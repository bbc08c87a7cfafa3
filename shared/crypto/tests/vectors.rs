//! Bytes that must never change: C2SP's vectors for XAES-256-GCM, and values once sealed by this crate.
//!
//! A stored value outlives every release. If one of these tests fails, the format has changed: give the new
//! format another prefix and keep opening the old one.

#![expect(clippy::unwrap_used, reason = "tests")]

use shake::Shake128;
use shake::digest::{ExtendableOutput, Update, XofReader};
use strongroom_crypto::{Cell, KeyRing, RootKey, State, WrappedVersion, Xaes, unwrap_file_key};

/// The accumulated test of the specification: 10,000 random inputs of 0 to 255 bytes each.
#[test]
fn xaes_accumulated() {
    let mut inputs = Shake128::default().finalize_xof();
    let mut outputs = Shake128::default();
    for _ in 0..10_000 {
        let (mut key, mut nonce) = ([0; 32], [0; 24]);
        inputs.read(&mut key);
        inputs.read(&mut nonce);
        let plaintext = read_counted(&mut inputs);
        let aad = read_counted(&mut inputs);

        let xaes = Xaes::new(&key);
        let sealed = xaes.seal(&nonce, &aad, &plaintext);
        assert_eq!(*xaes.open(&nonce, &aad, &sealed).unwrap(), plaintext);
        outputs.update(&sealed);
    }
    let mut digest = [0; 32];
    outputs.finalize_xof().read(&mut digest);
    assert_eq!(hex::encode(digest), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

/// A length byte, then that many bytes.
fn read_counted(inputs: &mut impl XofReader) -> Vec<u8> {
    let mut length = [0];
    inputs.read(&mut length);
    let mut bytes = vec![0; usize::from(length[0])];
    inputs.read(&mut bytes);
    bytes
}

#[test]
fn root_key() {
    for line in lines(include_str!("vectors/root.txt")) {
        let [text, id, check_value] = fields(line);
        let root = RootKey::parse(text).unwrap();
        assert_eq!(root.id().as_str(), id);
        assert_eq!(hex::encode(root.check_value()), check_value);
        assert_eq!(*root.to_text(), text);
    }
}

#[test]
fn sealed_values() {
    let ring = golden_ring();
    for line in lines(include_str!("vectors/values.txt")) {
        let [purpose, table, column, row, plaintext, sealed] = fields(line);
        let purpose = purpose.parse().unwrap();
        let cell = Cell { purpose, table, column, row };
        let opened = ring.open_value(purpose, &cell, sealed).unwrap();
        assert_eq!(hex::encode(opened.expose()), plaintext, "{line}");
    }
}

#[test]
fn macs() {
    let ring = golden_ring();
    for line in lines(include_str!("vectors/macs.txt")) {
        let [purpose, kid, message, mac] = fields(line);
        let key = ring.mac_key(kid.parse().unwrap(), purpose.parse().unwrap()).unwrap();
        assert_eq!(hex::encode(key.mac(&hex::decode(message).unwrap())), mac);
    }
}

#[test]
fn wrapped_file_keys() {
    for line in lines(include_str!("vectors/file_keys.txt")) {
        let [root, file_key, wrapped] = fields(line);
        let root = RootKey::parse(root).unwrap();
        let wrapped = hex::decode(wrapped).unwrap();
        let opened = unwrap_file_key(&[&root], &root.id(), &wrapped).unwrap();
        assert_eq!(hex::encode(opened.expose()), file_key);
    }
}

/// The ring of vectors/ring.txt, opened with the root keys of vectors/root.txt.
fn golden_ring() -> KeyRing {
    let mut roots = Vec::new();
    for line in lines(include_str!("vectors/root.txt")) {
        let [text, _, _] = fields(line);
        roots.push(RootKey::parse(text).unwrap());
    }
    let mut versions = Vec::new();
    for line in lines(include_str!("vectors/ring.txt")) {
        let [key_id, purpose, kid, number, state, root_key_id, wrapped] = fields(line);
        versions.push(WrappedVersion {
            key_id: key_id.to_owned(),
            purpose: purpose.parse().unwrap(),
            kid: kid.parse().unwrap(),
            number: number.parse().unwrap(),
            state: state.parse::<State>().unwrap(),
            root_key_id: root_key_id.parse().unwrap(),
            wrapped: wrapped.to_owned(),
        });
    }
    let roots: Vec<&RootKey> = roots.iter().collect();
    KeyRing::open(&roots, &versions).unwrap()
}

fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.lines().filter(|line| !line.starts_with('#'))
}

fn fields<const N: usize>(line: &str) -> [&str; N] {
    line.split('|').collect::<Vec<_>>().try_into().unwrap()
}
