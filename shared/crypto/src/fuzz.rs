//! Fuzzing of the texts that callers send: tokens, sealed values, root keys.
#![expect(clippy::unwrap_used, reason = "tests")]

use strongroom_fuzz::{Outcome, fuzz};

use crate::{Cell, KeyRing, KeyVersion, Purpose, RootKey, Token, parse_kid};

fn outcome<T, E: ToString>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn tokens() {
    let token = Token::generate();
    fuzz("token", &[token.expose().as_bytes()], |text| {
        let text = String::from_utf8_lossy(text);
        let parsed = Token::parse(&text).map_err(|error| error.to_string())?;
        assert_eq!(parsed.expose(), text, "a token has one form");
        Ok(())
    });
}

#[test]
fn root_keys() {
    let root = RootKey::generate();
    fuzz("root key", &[root.to_text().as_bytes()], |text| {
        outcome(RootKey::parse(&String::from_utf8_lossy(text)))
    });
}

/// A sealed value opens only as it was written.
#[test]
fn sealed_values() {
    let root = RootKey::generate();
    let ring = KeyRing::open(&[&root], &[KeyVersion::create(&root, "k", Purpose::Caller, 1)]).unwrap();
    let cell = Cell { purpose: Purpose::Caller, table: "t", column: "c", row: "7" };
    let sealed = ring.seal("k", &cell, b"secret").unwrap();
    fuzz("sealed value", &[sealed.as_bytes()], |text| {
        let text = String::from_utf8_lossy(text);
        let _ = parse_kid(&text);
        let opened = ring.open_value(Purpose::Caller, &cell, &text);
        assert!(opened.is_err() || text == sealed, "a changed value opens: {text}");
        outcome(opened)
    });
}
