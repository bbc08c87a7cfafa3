//! The rules of the key ring and of sealed values, from outside.

#![expect(clippy::unwrap_used, reason = "tests")]

use strongroom_crypto::{
    Cell, Error, KeyRing, KeyVersion, MAX_VALUE_BYTES, Purpose, RootKey, State, WrappedVersion, parse_kid,
};

const CELL: Cell<'static> =
    Cell { purpose: Purpose::Credential, table: "credentials", column: "secret", row: "row-1" };

/// A ring with one key of each kind that these tests need, and its records.
fn fixture() -> (RootKey, Vec<WrappedVersion>, KeyRing) {
    let root = RootKey::generate();
    let versions = vec![
        KeyVersion::create(&root, "credentials", Purpose::Credential, 1),
        KeyVersion::create(&root, "gateway", Purpose::Caller, 1),
        KeyVersion::create(&root, "audit", Purpose::Audit, 1),
    ];
    let ring = KeyRing::open(&[&root], &versions).unwrap();
    (root, versions, ring)
}

#[test]
fn values_open_where_they_were_sealed() {
    let (_, versions, ring) = fixture();
    for plaintext in [&b""[..], b"sk-x", &[0xff; 64 << 10], &vec![7; MAX_VALUE_BYTES]] {
        let sealed = ring.seal("credentials", &CELL, plaintext).unwrap();
        assert_eq!(parse_kid(&sealed).unwrap(), versions[0].kid);
        let opened = ring.open_value(Purpose::Credential, &CELL, &sealed).unwrap();
        assert_eq!(opened.expose(), plaintext);
        assert_ne!(ring.seal("credentials", &CELL, plaintext).unwrap(), sealed, "nonces are fresh");
    }
    let too_long = vec![0; MAX_VALUE_BYTES + 1];
    let error = ring.seal("credentials", &CELL, &too_long).unwrap_err();
    assert_eq!(error, Error::TooLarge { bytes: MAX_VALUE_BYTES + 1 });
}

#[test]
fn moved_values_do_not_open() {
    let (_, _, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    let elsewhere = [
        Cell { row: "row-2", ..CELL },
        Cell { row: "", ..CELL },
        Cell { column: "note", ..CELL },
        Cell { table: "api_tokens", ..CELL },
        // The same characters, split elsewhere.
        Cell { table: "credential", column: "ssecret", ..CELL },
        Cell { column: "secretr", row: "ow-1", ..CELL },
        Cell { table: "secret", column: "credentials", ..CELL },
    ];
    for cell in elsewhere {
        let error = ring.open_value(Purpose::Credential, &cell, &sealed).unwrap_err();
        assert_eq!(error, Error::Open, "{cell:?}");
    }
}

#[test]
fn purposes_do_not_mix() {
    let (_, versions, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    let as_caller = Cell { purpose: Purpose::Caller, ..CELL };
    let refused =
        Error::WrongPurpose { kid: versions[0].kid, serves: Purpose::Credential, asked: Purpose::Caller };

    assert_eq!(ring.seal("credentials", &as_caller, b"x").unwrap_err(), refused);
    for (purpose, cell) in
        [(Purpose::Caller, CELL), (Purpose::Caller, as_caller), (Purpose::Credential, as_caller)]
    {
        assert_eq!(ring.open_value(purpose, &cell, &sealed).unwrap_err(), refused);
    }
    assert!(ring.mac_key(versions[2].kid, Purpose::Audit).is_ok());
    assert!(ring.mac_key(versions[2].kid, Purpose::Page).is_err());
}

/// The body of one version's value with the kid of another version of the same key.
#[test]
fn values_do_not_move_between_versions() {
    let root = RootKey::generate();
    let new = KeyVersion::create(&root, "credentials", Purpose::Credential, 2);
    let mut old = KeyVersion::create(&root, "credentials", Purpose::Credential, 1);
    old.state = State::DecryptOnly;
    let ring = KeyRing::open(&[&root], &[old.clone(), new.clone()]).unwrap();

    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    assert_eq!(parse_kid(&sealed).unwrap(), new.kid);
    let moved = sealed.replace(&new.kid.to_string(), &old.kid.to_string());
    assert_eq!(ring.open_value(Purpose::Credential, &CELL, &moved).unwrap_err(), Error::Open);
}

#[test]
fn every_flipped_bit_is_refused() {
    let (_, _, ring) = fixture();
    // Two lengths: one whose base64 has unused bits, one without.
    for plaintext in [&b"sk-0123456789"[..], b"sk-01234567890"] {
        let sealed = ring.seal("credentials", &CELL, plaintext).unwrap();
        assert!(ring.open_value(Purpose::Credential, &CELL, &sealed).is_ok());
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Invalid UTF-8 cannot be stored in a text column either.
            let Ok(flipped) = String::from_utf8(flipped) else { continue };
            assert!(ring.open_value(Purpose::Credential, &CELL, &flipped).is_err(), "{flipped}");
        }
        for end in 0..sealed.len() {
            assert!(ring.open_value(Purpose::Credential, &CELL, &sealed[..end]).is_err());
        }
    }
}

#[test]
fn texts_that_are_no_sealed_values() {
    let (_, versions, ring) = fixture();
    let kid = versions[0].kid;
    let huge = format!("srv1.{kid}.{}", "A".repeat(2 << 20));
    let table = [
        String::new(),
        "sk-plain".to_owned(),
        "srv1".to_owned(),
        "srv1.".to_owned(),
        format!("srv1.{kid}"),
        format!("srv1.{kid}."),
        format!("srv1.{kid}.AAAA"),
        format!("srv1.{kid}.AAAA.AAAA"),
        format!("srv2.{kid}.AAAA"),
        format!(" srv1.{kid}.AAAA"),
        huge,
    ];
    for text in table {
        let error = ring.open_value(Purpose::Credential, &CELL, &text).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. } | Error::Open), "{error}");
        assert!(!error.to_string().contains("sk-plain"));
    }
    let foreign = "srv1.0123456789abcdef.AAAA";
    let error = ring.open_value(Purpose::Credential, &CELL, foreign).unwrap_err();
    assert_eq!(error, Error::UnknownVersion { kid: "0123456789abcdef".parse().unwrap() });
}

#[test]
fn states_decide_what_a_version_does() {
    let (root, mut versions, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    let kid = versions[0].kid;
    let table = [
        (State::Primary, true, true),
        (State::DecryptOnly, false, true),
        (State::Disabled, false, false),
        (State::Scheduled, false, false),
        (State::Destroyed, false, false),
    ];
    for (state, seals, opens) in table {
        versions[0].state = state;
        if state == State::Destroyed {
            versions[0].wrapped.clear();
        }
        let ring = KeyRing::open(&[&root], &versions).unwrap();
        assert_eq!(ring.version(kid).unwrap().state(), state);
        assert_eq!(ring.seal("credentials", &CELL, b"x").is_ok(), seals, "{state}");
        let opened = ring.open_value(Purpose::Credential, &CELL, &sealed);
        let mac = ring.mac_key(kid, Purpose::Credential);
        if opens {
            assert_eq!(opened.unwrap().expose(), b"secret");
            assert!(mac.is_ok());
        } else {
            assert_eq!(opened.unwrap_err(), Error::Unusable { kid, state });
            assert_eq!(mac.unwrap_err(), Error::Unusable { kid, state });
        }
    }
}

#[test]
fn rings_that_contradict_themselves() {
    let (root, versions, _) = fixture();
    let open = |versions: &[WrappedVersion]| KeyRing::open(&[&root], versions).unwrap_err();

    let twice = [versions[0].clone(), WrappedVersion { state: State::DecryptOnly, ..versions[0].clone() }];
    assert_eq!(open(&twice), Error::DuplicateVersion { kid: versions[0].kid });

    let second = KeyVersion::create(&root, "credentials", Purpose::Credential, 2);
    let key_id = "credentials".to_owned();
    assert_eq!(open(&[versions[0].clone(), second]), Error::TwoPrimaries { key_id: key_id.clone() });

    let mixed = KeyVersion::create(&root, "credentials", Purpose::Audit, 2);
    assert_eq!(open(&[versions[0].clone(), mixed]), Error::MixedPurposes { key_id: key_id.clone() });

    let empty = KeyRing::open(&[&root], &[]).unwrap();
    assert_eq!(empty.primary("credentials").unwrap_err(), Error::NoPrimary { key_id });
}

#[test]
fn previous_root_keys_still_unwrap() {
    let (old, versions, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    let new = RootKey::generate();

    let ring = KeyRing::open(&[&new, &old], &versions).unwrap();
    assert!(ring.open_value(Purpose::Credential, &CELL, &sealed).is_ok());

    let message = KeyRing::open(&[&new], &versions).unwrap_err().to_string();
    assert!(message.contains(old.id().as_str()), "{message}");
    assert!(message.contains(new.id().as_str()), "{message}");
}

#[test]
fn changed_records_do_not_unwrap() {
    let (root, versions, _) = fixture();
    let record = &versions[0];
    let other = RootKey::generate();
    let change = |change: fn(&mut WrappedVersion)| {
        let mut changed = record.clone();
        change(&mut changed);
        changed
    };
    let table = [
        change(|record| record.key_id.push('x')),
        change(|record| record.purpose = Purpose::Caller),
        change(|record| record.kid = "0123456789abcdef".parse().unwrap()),
        change(|record| record.wrapped.clear()),
        change(|record| record.wrapped.push('A')),
        change(|record| record.wrapped = record.wrapped.to_uppercase()),
        change(|record| record.wrapped = record.wrapped.replacen("srk1", "srv1", 1)),
        WrappedVersion { wrapped: versions[1].wrapped.clone(), ..record.clone() },
        // Names the other root key only in the column, then in both places.
        WrappedVersion { root_key_id: other.id(), ..record.clone() },
        WrappedVersion {
            root_key_id: other.id(),
            wrapped: record.wrapped.replace(root.id().as_str(), other.id().as_str()),
            ..record.clone()
        },
    ];
    for changed in table {
        let error = KeyRing::open(&[&root, &other], std::slice::from_ref(&changed)).unwrap_err();
        assert_eq!(error, Error::Unwrap { kid: changed.kid }, "{changed:?}");
    }
}

#[test]
fn a_rewrapped_ring_opens_under_the_new_root_key_alone() {
    let (old, mut versions, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"sk-x").unwrap();
    let mut tombstone = KeyVersion::create(&old, "credentials", Purpose::Credential, 2);
    tombstone.state = State::Destroyed;
    tombstone.wrapped = String::new();
    versions.push(tombstone.clone());

    let new = RootKey::generate();
    let rewrap = |version| KeyVersion::rewrap(&[&old], version, &new).unwrap();
    let rewrapped: Vec<WrappedVersion> = versions.iter().map(rewrap).collect();
    let ring = KeyRing::open(&[&new], &rewrapped).unwrap();
    let opened = ring.open_value(Purpose::Credential, &CELL, &sealed).unwrap();
    assert_eq!(opened.expose(), b"sk-x");
    for (before, after) in versions[..3].iter().zip(&rewrapped) {
        assert_eq!((before.kid, before.number, before.state), (after.kid, after.number, after.state));
        assert_eq!(after.root_key_id, new.id());
        assert_ne!(before.wrapped, after.wrapped);
    }
    assert!(rewrapped[3] == tombstone);
    assert!(matches!(KeyRing::open(&[&old], &rewrapped), Err(Error::UnknownRootKey { .. })));
    assert!(matches!(KeyVersion::rewrap(&[&new], &versions[0], &old), Err(Error::UnknownRootKey { .. })));
    let mut changed = versions[0].clone();
    changed.kid = versions[1].kid;
    assert!(matches!(KeyVersion::rewrap(&[&old], &changed, &new), Err(Error::Unwrap { .. })));
}

#[test]
fn a_ring_that_replaces_another_goes_on_counting() {
    let (root, versions, ring) = fixture();
    let sealed = ring.seal("credentials", &CELL, b"secret").unwrap();
    let mut next = KeyRing::open(&[&root], &versions).unwrap();
    next.continue_counting(&ring);
    for _ in 0..2 {
        let _ = next.open_value(Purpose::Credential, &CELL, &sealed).unwrap();
    }
    // The earlier ring is still in use.
    let _ = ring.seal("credentials", &CELL, b"secret").unwrap();
    let elsewhere = Cell { row: "row-2", ..CELL };
    let _ = next.open_value(Purpose::Credential, &elsewhere, &sealed).unwrap_err();
    let usage = next.version(versions[0].kid).unwrap().usage();
    assert_eq!((usage.seals(), usage.opens()), (2, 2), "what did not open is not counted");
    let other = next.version(versions[1].kid).unwrap().usage();
    assert_eq!((other.seals(), other.opens()), (0, 0));
}
