//! Damage to a plain archive with a signed manifest: no change of its contents goes unnoticed.

use sha2::{Digest as _, Sha256};
use strongroom_archive::{ArchiveWriter, Compression, Limits, ManifestHead, ManifestSignature};
use strongroom_crypto::{KeyRing, KeyVersion, Purpose, RootKey, Statement};

use crate::sample;

const KEY: &str = "signing";

/// A signing key and its signatures.
pub(crate) struct Signer(KeyRing);

impl Signer {
    pub(crate) fn new() -> Self {
        let root = RootKey::generate();
        let version = KeyVersion::create(&root, KEY, Purpose::Signing, 1);
        Self(KeyRing::open(&[&root], &[version]).unwrap())
    }

    pub(crate) fn sign(&self, manifest: &[u8]) -> ManifestSignature {
        let (archive_id, time) = (sample::head().archive_id, sample::head().created_at);
        let digest = Sha256::digest(manifest).into();
        let statement = Statement::ArchiveManifest {
            archive_id: &archive_id,
            time: &format!("{time:.6}"),
            digest: &digest,
        };
        let (kid, signature) = self.0.sign(KEY, &statement).unwrap();
        ManifestSignature::new(&kid.to_string(), &archive_id, time, &signature).unwrap()
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_keys(KEY)[0].bytes
    }

    /// Every entry, including the manifest and its signature; `None` if anything is refused.
    fn contents(&self, archive: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let mut all = sample::contents(archive).ok()?;
        let mut archive = sample::open(archive).ok()?;
        let signature = archive.signature().ok()??;
        sample::verify_signature(&self.public(), &archive, &signature).ok()?;
        all.push(("manifest.json".to_owned(), archive.manifest_json().to_vec()));
        all.push(("manifest.sig".to_owned(), signature.to_string().into_bytes()));
        Some(all)
    }
}

/// Digests alone do not protect against an attacker who rewrites the manifest.
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

/// Sixteen times the size that fits into a message.
#[test]
fn the_longest_manifest_is_signed_and_verifies() {
    let signer = Signer::new();
    let write = |padding: usize| {
        let writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
        let head = ManifestHead { app_url: "x".repeat(padding), ..sample::head() };
        writer.finish_signed(head, |manifest| Ok(signer.sign(manifest)))
    };
    let longest = usize::try_from(Limits::V1.manifest_bytes).unwrap();
    let rest = sample::open(&write(0).unwrap().1).unwrap().manifest_json().len();
    let (_, archive) = write(longest - rest).unwrap();
    let [(_, manifest), _] = signer.contents(&archive).unwrap().try_into().unwrap();
    assert_eq!(manifest.len(), longest);
    write(longest - rest + 1).unwrap_err();
}
