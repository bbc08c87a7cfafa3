//! Signatures from outside: who signs, and what verifies.

#![expect(clippy::unwrap_used, reason = "tests")]

use strongroom_crypto::{
    DocumentDigest, Error, KeyRing, KeyVersion, Purpose, RootKey, State, Statement, WrappedVersion, verify,
};

const ID: &str = "01a2-archive";
const TIME: &str = "2026-05-06T10:14:22.000000Z";
const DIGEST: DocumentDigest = [5; 32];

fn statement(digest: &DocumentDigest) -> Statement<'_> {
    Statement::ArchiveManifest { archive_id: ID, time: TIME, digest }
}

fn ring(states: &[State]) -> (Vec<WrappedVersion>, KeyRing) {
    let root = RootKey::generate();
    let versions: Vec<_> = states
        .iter()
        .zip(1..)
        .map(|(state, number)| {
            let version = KeyVersion::create(&root, "signing", Purpose::Signing, number);
            WrappedVersion { state: *state, ..version }
        })
        .chain([KeyVersion::create(&root, "gateway", Purpose::Caller, 1)])
        .collect();
    let ring = KeyRing::open(&[&root], &versions).unwrap();
    (versions, ring)
}

#[test]
fn a_signature_fits_its_document_and_key() {
    let (versions, ring) = ring(&[State::DecryptOnly, State::Primary]);
    let (kid, signature) = ring.sign("signing", &statement(&DIGEST)).unwrap();
    assert_eq!(kid, versions[1].kid);
    let keys = ring.public_keys("signing");
    let shown: Vec<_> = keys.iter().map(|key| (key.kid, key.primary)).collect();
    assert_eq!(shown, [(versions[0].kid, false), (versions[1].kid, true)]);
    assert_eq!(ring.public_key(kid), Some(keys[1].bytes));

    let holds = |key: &[u8; 32], statement: &Statement<'_>, signature: &[u8; 64]| {
        verify(key, statement, signature) != Err(Error::Signature)
    };
    assert!(holds(&keys[1].bytes, &statement(&DIGEST), &signature));
    assert!(!holds(&keys[0].bytes, &statement(&DIGEST), &signature));
    assert!(!holds(&keys[1].bytes, &statement(&[6; 32]), &signature));
    for (archive_id, time) in [("01a2-archivf", TIME), (ID, "2026-05-06T10:14:22.000001Z")] {
        let other = Statement::ArchiveManifest { archive_id, time, digest: &DIGEST };
        assert!(!holds(&keys[1].bytes, &other, &signature), "{other:?}");
    }
    for byte in 0..signature.len() {
        let mut changed = signature;
        changed[byte] ^= 1;
        assert!(!holds(&keys[1].bytes, &statement(&DIGEST), &changed), "{byte}");
    }
    // A point of small order, for which a signature over anything can be made.
    let weak = [&[1][..], &[0; 31]].concat().try_into().unwrap();
    assert!(!holds(&weak, &statement(&DIGEST), &signature));
}

/// The message is the documented one: what signs with the bytes alone must come to the same signature.
#[test]
fn the_message_is_as_documented() {
    use ed25519_dalek::{Signature, VerifyingKey};

    let (_, ring) = ring(&[State::Primary]);
    let (_, signature) = ring.sign("signing", &statement(&DIGEST)).unwrap();
    let key = VerifyingKey::from_bytes(&ring.public_keys("signing")[0].bytes).unwrap();
    let rest = format!("{ID}\n{TIME}");
    let message = [&b"strongroom/archive-manifest/v1\n"[..], &DIGEST, rest.as_bytes()].concat();
    key.verify_strict(&message, &Signature::from_bytes(&signature)).unwrap();
}

#[test]
fn only_usable_versions_of_signing_keys_sign() {
    let (versions, ring) = ring(&[State::Disabled, State::Scheduled, State::Destroyed]);
    assert!(matches!(ring.sign("signing", &statement(&DIGEST)), Err(Error::NoPrimary { .. })));
    assert!(ring.public_keys("signing").is_empty());
    assert!(ring.public_keys("gateway").is_empty());
    assert!(versions.iter().all(|version| ring.public_key(version.kid).is_none()));
    assert_eq!(ring.purpose("gateway"), Some(Purpose::Caller));
    assert_eq!(ring.purpose("nobody"), None);
    let refused = ring.sign("gateway", &statement(&DIGEST)).unwrap_err();
    let kid = versions[3].kid;
    assert_eq!(refused, Error::WrongPurpose { kid, serves: Purpose::Caller, asked: Purpose::Signing });
}
