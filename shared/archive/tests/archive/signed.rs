//! Damage to a plain archive that has a signed manifest: nothing that changes what is in it passes.

use strongroom_archive::{Limits, ManifestSignature};
use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey, SignatureDomain, verify};

use crate::sample;

const DOMAIN: SignatureDomain = SignatureDomain::ArchiveManifest;
const KEY: &str = "signing";

/// A signing key, and what it signs.
struct Signer(KeyRing);

impl Signer {
    fn new() -> Self {
        let root = RootKey::generate();
        let version = KeyVersion::create(&root, KEY, Purpose::Signing, 1);
        Self(KeyRing::open(&[&root], &[version]).unwrap())
    }

    fn sign(&self, manifest: &[u8]) -> ManifestSignature {
        let (kid, signature) = self.0.sign(KEY, DOMAIN, manifest).unwrap();
        ManifestSignature::new(&kid.to_string(), &signature).unwrap()
    }

    /// Every entry, the manifest and its signature included; none if anything is refused.
    fn contents(&self, archive: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let mut all = sample::contents(archive).ok()?;
        let mut archive = sample::open(archive).ok()?;
        let signature = archive.signature().ok()??;
        verify(&self.0.public_keys(KEY)[0].bytes, DOMAIN, archive.manifest_json(), signature.bytes()).ok()?;
        all.push(("manifest.json".to_owned(), archive.manifest_json().to_vec()));
        all.push(("manifest.sig".to_owned(), signature.to_string().into_bytes()));
        Some(all)
    }
}

#[test]
fn a_flipped_bit_is_refused_or_changes_no_entry() {
    let signer = Signer::new();
    let archive =
        sample::write_signed(&sample::two_tables(), Limits::V1, |manifest| signer.sign(manifest)).unwrap();
    let intact = signer.contents(&archive).unwrap();
    let mut refused = 0;
    for bit in 0..archive.len() * 8 {
        let mut damaged = archive.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match signer.contents(&damaged) {
            Some(contents) => assert_eq!(contents, intact, "bit {bit}"),
            None => refused += 1,
        }
    }
    // What may change are times, versions and attributes in the headers: 20 bytes an entry or so.
    assert!(refused > archive.len() * 8 * 8 / 10, "{refused} of {}", archive.len() * 8);
}

/// Digests alone do not help against somebody who writes the manifest anew.
#[test]
fn a_manifest_written_anew_is_refused() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let mut signature = None;
    let tables = sample::two_tables();
    let archive =
        sample::write_signed(&tables, Limits::V1, |manifest| signature.insert(signer.sign(manifest)).clone());
    let archive = archive.unwrap();
    assert!(signer.contents(&archive).is_some());
    assert_eq!(stranger.contents(&archive), None);

    let forged = sample::write_signed(&tables[1..], Limits::V1, |_| signature.unwrap()).unwrap();
    sample::check(&forged, Limits::V1).unwrap();
    assert_eq!(signer.contents(&forged), None);
    let unsigned = sample::write(&tables, Limits::V1).unwrap();
    assert_eq!(signer.contents(&unsigned), None);
}
