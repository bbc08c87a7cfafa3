//! The vault's stanza: the file key goes to the vault; the root key stays there.

use std::io::Cursor;

use strongroom_age::{FileKey, Recipient, Recipients, SealError, SealedFile, Unlocked, X25519Identity};
use strongroom_age::{Identity, Stanza};
use strongroom_archive::seal::{Header, VaultStanza};
use strongroom_archive::{ArchiveReader, Error, Limits, verify};
use strongroom_crypto::{RootKey, unwrap_file_key, wrap_file_key};

use super::{identities, open, recovery, refusal, seal, two_recipients};
use crate::kept::keep;
use crate::sample;

const GOOD: &[u8] = include_bytes!("../../vectors/seal/good.zip.age");

/// The root key of the good vector: the bytes 00 to 1f.
const ROOT: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Seals to the vault and to the recovery key, as an export does.
fn seal_to_vault(plaintext: &[u8], root: &RootKey) -> Vec<u8> {
    let file_key = FileKey::generate();
    let vault = VaultStanza::new(root.id().as_str(), wrap_file_key(root, file_key.expose())).unwrap();
    let recipients = vec![Recipient::from(vault), Recipient::X25519(recovery().recipient())];
    seal(plaintext, &file_key, &Recipients::Keys(recipients))
}

/// Unlocks the header with the vault's help.
fn unlock(header: &Header, root: &RootKey) -> Unlocked {
    let stanza = header.vault_stanzas().next().unwrap();
    let id = stanza.root_key_id().parse().unwrap();
    let key = unwrap_file_key(&[root], &id, stanza.wrapped()).unwrap();
    header.unlock_with(FileKey::from_slice(key.expose()).unwrap()).unwrap()
}

#[test]
fn the_vault_opens_what_it_wrapped_the_key_of() {
    let root = RootKey::generate();
    let sealed = seal_to_vault(b"an archive", &root);
    let header = Header::read(&mut sealed.as_slice()).unwrap();
    let unlocked = unlock(&header, &root);
    assert_eq!(SealedFile::open(Cursor::new(&sealed), &unlocked).unwrap().plaintext_bytes(), 10);
    assert_eq!(open(&sealed, &identities()).unwrap(), b"an archive");
    assert_eq!(refusal(header.unlock_with(FileKey::generate())), SealError::HeaderChanged);
}

#[test]
fn the_good_archive_opens_with_the_recovery_key_and_with_the_root_key() {
    let archive = sample::write(&sample::two_tables(), Limits::V1).unwrap();
    let new = seal_to_vault(&archive, &RootKey::parse(ROOT).unwrap());
    keep("seal/good.zip.age", &new);
    check_good(&new);
    check_good(GOOD);
}

fn check_good(file: &[u8]) {
    let archive = open(file, &identities()).unwrap();
    let mut archive = ArchiveReader::open(Cursor::new(archive), Limits::V1).unwrap();
    assert_eq!(verify(&mut archive, &mut |_| {}).unwrap().tables.len(), 2);

    let header = Header::read(&mut { file }).unwrap();
    let unlocked = unlock(&header, &RootKey::parse(ROOT).unwrap());
    let file = SealedFile::open(Cursor::new(file), &unlocked).unwrap();
    ArchiveReader::open(file, Limits::V1).unwrap();
}

#[test]
fn who_is_not_named_is_told_who_is() {
    let stranger = [Identity::X25519(X25519Identity::generate())];
    let told = |recipients| {
        let sealed = seal(b"x", &FileKey::generate(), &recipients);
        let error = open(&sealed, &stranger).unwrap_err();
        assert!(matches!(error, Error::NoKey { .. }), "{error:?}");
        error.to_string()
    };
    let none = "none of the keys given opens this file (or its header was changed); it is sealed to";
    assert_eq!(
        told(two_recipients()),
        format!("{none} the vault that has the root key 0f1e2d3c4b5a6978, recovery keys: 1")
    );
    let other = Stanza::new("example.org/other", Vec::new(), vec![7]);
    let others = Recipients::Keys(vec![Recipient::Stanza(other.clone()), Recipient::Stanza(other)]);
    assert_eq!(told(others), format!("{none} recipients of other kinds: 2"));
}

/// Even if the recovery key could open the file.
#[test]
fn a_malformed_stanza_of_the_vault_is_refused() {
    for (arguments, body, problem) in [
        (&[][..], 88, "does not have exactly one argument"),
        (&["0f1e2d3c4b5a6978", "x"], 88, "does not have exactly one argument"),
        (&["0F1E2D3C4B5A6978"], 88, "does not name a root key by 16 hexadecimal digits"),
        (&["0f1e2d3c4b5a697"], 88, "does not name a root key by 16 hexadecimal digits"),
        (&["0f1e2d3c4b5a6978"], 0, "has a body that is empty or too long"),
        (&["0f1e2d3c4b5a6978"], 1025, "has a body that is empty or too long"),
    ] {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let stanza = Stanza::new("strongroom.dev/vault-v1", arguments, vec![0xab; body]);
        let recipients = vec![Recipient::Stanza(stanza), Recipient::X25519(recovery().recipient())];
        let sealed = seal(b"x", &FileKey::generate(), &Recipients::Keys(recipients));
        let expected = SealError::Stanza { recipient: "the vault", problem };
        assert_eq!(refusal(open(&sealed, &identities())), expected);
    }
    assert!(VaultStanza::new("0f1e2d3c4b5a6978", vec![0xab; 1024]).is_ok());
    assert!(VaultStanza::new("0f1e2d3c4b5a697G", vec![0xab; 88]).is_err());
}
