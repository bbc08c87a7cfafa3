//! Types that hold a secret print none of it, in either form of `Debug`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Debug;

use strongroom_crypto::{
    Cell, Error, KeyRing, KeyVersion, Purpose, RootKey, SecretBytes, Token, WrappedVersion, Xaes,
};

fn debug_forms(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

#[test]
fn debug_shows_nothing() {
    let root = RootKey::parse("base64:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
    let stored = KeyVersion::create(&root, "audit", Purpose::Audit, 1);
    let ring = KeyRing::open(&[&root], std::slice::from_ref(&stored)).unwrap();
    let mac = ring.mac_key(stored.kid, Purpose::Audit).unwrap();

    assert_eq!(debug_forms(&root), "RootKey([redacted]) RootKey([redacted])");
    assert_eq!(debug_forms(&ring), "KeyRing([redacted]) KeyRing([redacted])");
    assert_eq!(debug_forms(&mac), "MacKey([redacted]) MacKey([redacted])");
    assert_eq!(debug_forms(&SecretBytes::new(b"sk-1".to_vec())), "[redacted] [redacted]");
    assert_eq!(debug_forms(&Token::generate()), "Token([redacted]) Token([redacted])");
    assert_eq!(debug_forms(&Xaes::new(&[1; 32])), "Xaes([redacted]) Xaes([redacted])");
}

/// Records, including versions, show their public fields, but no key and no wrapped key.
#[test]
fn records_show_public_fields_only() {
    let root = RootKey::generate();
    let stored = KeyVersion::create(&root, "audit", Purpose::Audit, 1);
    let ring = KeyRing::open(&[&root], std::slice::from_ref(&stored)).unwrap();
    let WrappedVersion { kid, wrapped, .. } = &stored;

    let record = debug_forms(&stored);
    assert!(record.contains(&kid.to_string()));
    assert!(!record.contains("srk1.") && !record.contains(&wrapped[30..50]), "{record}");

    let version = format!("{:?}", ring.version(*kid).unwrap());
    let expected = format!(
        "KeyVersion {{ key_id: \"audit\", purpose: Audit, kid: Kid({kid}), number: 1, state: Primary, .. }}"
    );
    assert_eq!(version, expected);
}

#[test]
fn errors_do_not_echo() {
    let secret = "hunter2-hunter2";
    let root = RootKey::generate();
    let ring = KeyRing::open(&[&root], &[]).unwrap();
    let cell = Cell { purpose: Purpose::Caller, table: "caller", column: "k", row: "" };
    let errors: [Error; 5] = [
        RootKey::parse(secret).unwrap_err(),
        Token::parse(secret).unwrap_err(),
        ring.open_value(Purpose::Caller, &cell, secret).unwrap_err(),
        secret.parse::<Purpose>().unwrap_err(),
        secret.parse::<strongroom_crypto::Kid>().unwrap_err(),
    ];
    for error in errors {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
