//! Signing and verification, from outside.

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

fn sidecar(digest: &DocumentDigest) -> Statement<'_> {
    Statement::BackupSidecar { archive_id: ID, time: TIME, digest }
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
    // A point of small order, for which anyone can make a signature of any message.
    let weak = [&[1][..], &[0; 31]].concat().try_into().unwrap();
    assert!(!holds(&weak, &statement(&DIGEST), &signature));
}

/// A record and a manifest can have the same bytes, archive and time.
#[test]
fn a_signature_of_one_kind_never_passes_as_one_of_another() {
    let (_, ring) = ring(&[State::Primary]);
    let public = ring.public_keys("signing")[0].bytes;
    let kinds = [statement(&DIGEST), sidecar(&DIGEST)];
    for signed in &kinds {
        let (_, signature) = ring.sign("signing", signed).unwrap();
        for claimed in &kinds {
            let holds = verify(&public, claimed, &signature).is_ok();
            assert_eq!(holds, signed == claimed, "signed {signed:?}, claimed {claimed:?}");
        }
    }
}

/// No choice of digest, archive id and time moves a byte of one kind's message into the other kind's label.
#[test]
fn no_fields_make_the_messages_of_two_kinds_equal() {
    let (_, ring) = ring(&[State::Primary]);
    let public = ring.public_keys("signing")[0].bytes;
    for digest in
        [[0; 32], [b'\n'; 32], *b"strongroom/archive-manifest/v1\n\n", *b"strongroom/backup-sidecar/v1\nxxx"]
    {
        for (archive_id, time) in [(ID, TIME), ("", ""), ("strongroom", "archive-manifest"), (TIME, ID)] {
            let manifest = Statement::ArchiveManifest { archive_id, time, digest: &digest };
            let sidecar = Statement::BackupSidecar { archive_id, time, digest: &digest };
            let (_, of_manifest) = ring.sign("signing", &manifest).unwrap();
            let (_, of_sidecar) = ring.sign("signing", &sidecar).unwrap();
            assert_eq!(verify(&public, &sidecar, &of_manifest), Err(Error::Signature), "{manifest:?}");
            assert_eq!(verify(&public, &manifest, &of_sidecar), Err(Error::Signature), "{sidecar:?}");
        }
    }
}

/// The message is the documented one: signing the bytes directly must yield the same signature.
#[test]
fn the_messages_are_as_documented() {
    use ed25519_dalek::{Signature, VerifyingKey};

    let (_, ring) = ring(&[State::Primary]);
    let key = VerifyingKey::from_bytes(&ring.public_keys("signing")[0].bytes).unwrap();
    let rest = format!("{ID}\n{TIME}");
    for (label, statement) in [
        ("strongroom/archive-manifest/v1\n", statement(&DIGEST)),
        ("strongroom/backup-sidecar/v1\n", sidecar(&DIGEST)),
    ] {
        let (_, signature) = ring.sign("signing", &statement).unwrap();
        let message = [label.as_bytes(), &DIGEST, rest.as_bytes()].concat();
        key.verify_strict(&message, &Signature::from_bytes(&signature)).unwrap();
    }
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
