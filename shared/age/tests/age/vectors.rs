//! Files that must open, or be refused, for ever. Those that are not age's own are compared with ones made now.
//!
//! `recovery.age` and `stock.age` were made by age 1.1.1; `recovery.age` is locked with "correct horse".

use std::io::{Cursor, Write};

use strongroom_archive::seal::{
    FileKey, Header, Identity, IdentityFile, Passphrase, Recipient, Recipients, SealError, SealWriter,
    SealedFile, VaultStanza,
};
use strongroom_archive::{ArchiveReader, Limits, verify};
use strongroom_crypto::{RootKey, unwrap_file_key, wrap_file_key};

use super::{identities, open, raw, recovery, refusal, seal, two_recipients};
use crate::kept::keep;
use crate::sample;

const GOOD: &[u8] = include_bytes!("../../vectors/seal/good.zip.age");
const STOCK: &[u8] = include_bytes!("../../vectors/seal/stock.age");
const PASSPHRASE: &[u8] = include_bytes!("../../vectors/seal/passphrase.zip.age");
const LOCKED: &[u8] = include_bytes!("../../vectors/seal/recovery.age");

/// The root key of the good vector, as its file has it.
const ROOT: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn the_good_archive_opens_with_the_recovery_key_and_with_the_root_key() {
    check_good(GOOD);
    let root = RootKey::parse(ROOT).unwrap();
    let file_key = FileKey::generate();
    let vault = VaultStanza::new(root.id().as_str(), wrap_file_key(&root, file_key.expose())).unwrap();
    let recipients = vec![Recipient::Vault(vault), Recipient::X25519(recovery().recipient())];
    let mut writer = SealWriter::create(Vec::new(), &file_key, &Recipients::Keys(recipients)).unwrap();
    writer.write_all(&sample::write(&sample::two_tables(), Limits::V1).unwrap()).unwrap();
    let new = writer.finish().unwrap();
    check_good(&new);
    keep("seal/good.zip.age", &new);
}

fn check_good(file: &[u8]) {
    let archive = open(file, &identities()).unwrap();
    let mut archive = ArchiveReader::open(Cursor::new(archive), Limits::V1).unwrap();
    assert_eq!(verify(&mut archive, &mut |_| {}).unwrap().tables.len(), 2);

    let header = Header::read(&mut { file }).unwrap();
    let stanza = header.vault_stanzas().next().unwrap();
    let root = RootKey::parse(ROOT).unwrap();
    let id = stanza.root_key_id().parse().unwrap();
    let key = unwrap_file_key(&[&root], &id, stanza.wrapped()).unwrap();
    let unlocked = header.unlock_with(FileKey::from_slice(key.expose()).unwrap()).unwrap();
    let file = SealedFile::open(Cursor::new(file), &unlocked).unwrap();
    ArchiveReader::open(file, Limits::V1).unwrap();
}

#[test]
fn the_other_good_files_open() {
    assert_eq!(open(STOCK, &identities()).unwrap(), b"an archive");
    let passphrase = || Passphrase::new("correct horse").unwrap();
    let new = seal(b"an archive", &Recipients::Passphrase(passphrase()));
    for file in [PASSPHRASE, &new] {
        assert_eq!(open(file, &[Identity::Passphrase(passphrase())]).unwrap(), b"an archive");
    }
    keep("seal/passphrase.zip.age", &new);
    let IdentityFile::Locked(locked) = IdentityFile::read(LOCKED).unwrap() else { panic!("not locked") };
    let identities = locked.unlock(&passphrase()).unwrap();
    assert_eq!(open(STOCK, &identities).unwrap(), b"an archive");
}

#[test]
fn the_bad_files_are_refused() {
    let expected: [(&[u8], SealError); 5] = [
        (include_bytes!("../../vectors/seal/bad-header.age"), SealError::HeaderChanged),
        (include_bytes!("../../vectors/seal/bad-chunk.age"), SealError::LastChunk { chunk: 0 }),
        (include_bytes!("../../vectors/seal/bad-cut.age"), SealError::NoPayload),
        (include_bytes!("../../vectors/seal/bad-mixed.age"), SealError::PassphraseNotAlone),
        (
            include_bytes!("../../vectors/seal/bad-work-factor.age"),
            SealError::WorkFactor { found: 22, limit: 20 },
        ),
    ];
    for ((file, expected), (name, new)) in expected.into_iter().zip(bad_files()) {
        for file in [file, &new] {
            let mut identities = identities();
            identities.push(Identity::Passphrase(Passphrase::new("x").unwrap()));
            assert_eq!(refusal(open(file, &identities)), expected, "{name}");
        }
        keep(name, &new);
    }
}

/// Header, chunk, cut, mixed, work factor.
fn bad_files() -> [(&'static str, Vec<u8>); 5] {
    let good = seal(b"an archive", &two_recipients());
    let payload = good.len() - 26 - 16;
    let mut chunk = good.clone();
    *chunk.last_mut().unwrap() ^= 0x80;
    let header = String::from_utf8(good[..payload].to_vec()).unwrap();
    let header = header.replace("0f1e2d3c4b5a6978", "0f1e2d3c4b5a6979");
    let scrypt = format!("-> scrypt {} 22\n{}\n", raw::base64(&[1; 16]), raw::base64(&[2; 32]));
    [
        ("seal/bad-header.age", [header.as_bytes(), &good[payload..]].concat()),
        ("seal/bad-chunk.age", chunk),
        ("seal/bad-cut.age", good[..payload].to_vec()),
        ("seal/bad-mixed.age", raw::header(&format!("{scrypt}-> x\n\n"))),
        ("seal/bad-work-factor.age", raw::header(&scrypt)),
    ]
}
