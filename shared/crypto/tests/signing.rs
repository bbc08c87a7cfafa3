//! Signatures from outside: who signs, and what verifies.

#![expect(clippy::unwrap_used, reason = "tests")]

use strongroom_crypto::{
    Error, KeyRing, KeyVersion, Purpose, RootKey, SignatureDomain, State, WrappedVersion, verify,
};

const DOMAIN: SignatureDomain = SignatureDomain::ArchiveManifest;

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
    let (kid, signature) = ring.sign("signing", DOMAIN, b"manifest").unwrap();
    assert_eq!(kid, versions[1].kid);
    let keys = ring.public_keys("signing");
    let shown: Vec<_> = keys.iter().map(|key| (key.kid, key.primary)).collect();
    assert_eq!(shown, [(versions[0].kid, false), (versions[1].kid, true)]);

    verify(&keys[1].bytes, DOMAIN, b"manifest", &signature).unwrap();
    assert_eq!(verify(&keys[0].bytes, DOMAIN, b"manifest", &signature), Err(Error::Signature));
    assert_eq!(verify(&keys[1].bytes, DOMAIN, b"manifesT", &signature), Err(Error::Signature));
    for byte in 0..signature.len() {
        let mut changed = signature;
        changed[byte] ^= 1;
        assert_eq!(verify(&keys[1].bytes, DOMAIN, b"manifest", &changed), Err(Error::Signature), "{byte}");
    }
    // A point of small order, for which a signature over anything can be made.
    let weak = [&[1][..], &[0; 31]].concat().try_into().unwrap();
    assert_eq!(verify(&weak, DOMAIN, b"manifest", &signature), Err(Error::Signature));
}

/// The message is the documented one: what signs with the bytes alone must come to the same signature.
#[test]
fn the_message_is_label_and_digest() {
    use ed25519_dalek::{Signature, VerifyingKey};
    use sha2::{Digest, Sha256};

    let (_, ring) = ring(&[State::Primary]);
    let (_, signature) = ring.sign("signing", DOMAIN, b"manifest").unwrap();
    let key = VerifyingKey::from_bytes(&ring.public_keys("signing")[0].bytes).unwrap();
    let digest = Sha256::digest(b"manifest");
    let message = [&b"strongroom/archive-manifest/v1\n"[..], &digest].concat();
    key.verify_strict(&message, &Signature::from_bytes(&signature)).unwrap();
    assert_eq!(ring.sign_digest("signing", DOMAIN, &digest.into()).unwrap().1, signature);
}

#[test]
fn only_usable_versions_of_signing_keys_sign() {
    let (versions, ring) = ring(&[State::Disabled, State::Scheduled, State::Destroyed]);
    assert!(matches!(ring.sign("signing", DOMAIN, b""), Err(Error::NoPrimary { .. })));
    assert!(ring.public_keys("signing").is_empty());
    assert!(ring.public_keys("gateway").is_empty());
    assert_eq!(ring.purpose("gateway"), Some(Purpose::Caller));
    assert_eq!(ring.purpose("nobody"), None);
    let refused = ring.sign("gateway", DOMAIN, b"").unwrap_err();
    let kid = versions[3].kid;
    assert_eq!(refused, Error::WrongPurpose { kid, serves: Purpose::Caller, asked: Purpose::Signing });
}
